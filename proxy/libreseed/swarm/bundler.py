"""Makes the bundles that others ask for, of what this node holds."""

from collections.abc import Collection, Iterable

from libreseed.store.blobs import BlobStore
from libreseed.swarm.bundle import MAX_FILE, MAX_FILES, Member
from libreseed.swarm.held import HeldBlobs
from libreseed.swarm.offers import Offers


class Bundler:
    """Chooses what of the blobs that are `held` goes into a bundle, and lets `offers` seed it."""

    def __init__(self, offers: Offers, blobs: BlobStore, held: HeldBlobs) -> None:
        self._offers = offers
        self._blobs = blobs
        self._held = held

    def bundle(self, digests: Iterable[bytes], fetched: Collection[bytes] = ()) -> list[bytes]:
        """Return the v2 infohashes of torrents that have those of these blobs that are shared and small enough.

        Those of earlier askers that have many of them come first, then the own torrents of what somebody else has
        `fetched` by that lately: so all fetch the same torrents, and give to each other. What is left goes into a new
        one, unless there is no room.
        """
        members = self._members(digests)
        found = self._offers.find_overlapping(members.keys())
        for v2 in found:
            for digest in self._offers.digests(v2):
                members.pop(digest, None)
        alone = [members.pop(digest) for digest in [*members] if digest in fetched]
        found += [self._held[each.digest].ref.v2 for each in alone]
        if 0 < len(members) <= MAX_FILES:
            new = self._offers.offer([*members.values()], [self._blobs.path(digest) for digest in members])
            found += [new] if new else []
        return found

    def _members(self, digests: Iterable[bytes]) -> dict[bytes, Member]:
        found = {digest: held for digest in digests if (held := self._held.get(digest)) is not None}
        return {
            digest: Member(digest, held.ref.length, held.root)
            for digest, held in found.items()
            if held.shared and held.ref.length <= MAX_FILE
        }
