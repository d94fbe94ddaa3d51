"""Makes the bundles that others ask for, of what this node holds."""

from collections.abc import Collection, Iterable

from libreseed.store.blobs import BlobStore
from libreseed.swarm.bundle import MAX_FILE, MAX_FILES, Member
from libreseed.swarm.held import HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.trust.records import Endpoint


class Bundler:
    """Chooses what of the blobs that are `held` goes into a bundle, and lets `offers` seed it."""

    def __init__(self, offers: Offers, blobs: BlobStore, held: HeldBlobs) -> None:
        self._offers = offers
        self._blobs = blobs
        self._held = held

    def bundle(self, digests: Iterable[bytes]) -> list[bytes]:
        """Return the v2 infohashes of torrents that have those of these blobs that are shared and small enough.

        Those of earlier askers that have many of them come first: then all fetch one torrent, and give to each other.
        What is left goes into a new one unless there is no room, and a single blob comes by its own. At most 48 blobs,
        4 torrents.
        """
        members = self._members(digests)
        found = self._offers.find_overlapping(members.keys())
        for v2 in found:
            for digest in self._offers.members(v2):
                members.pop(digest, None)
        if len(members) == 1:
            found += [self._held[digest].ref.v2 for digest in members]
        elif new := self._offer(members.values()):
            found.append(new)
        return found

    def offer(self, digests: Collection[bytes], peers: Iterable[Endpoint]) -> None:
        """Seed the bundle of exactly these blobs, which has just come, for those who still fetch it."""
        members = self._members(digests)
        if len(members) == len(digests):
            self._offer(members.values(), peers)

    def _members(self, digests: Iterable[bytes]) -> dict[bytes, Member]:
        found = {digest: held for digest in digests if (held := self._held.get(digest)) is not None}
        return {
            digest: Member(digest, held.ref.length, held.root)
            for digest, held in found.items()
            if held.shared and held.ref.length <= MAX_FILE
        }

    def _offer(self, members: Collection[Member], peers: Iterable[Endpoint] = ()) -> bytes:
        if not 2 <= len(members) <= MAX_FILES:
            return b""
        return self._offers.offer([*members], [self._blobs.path(each.digest) for each in members], peers)
