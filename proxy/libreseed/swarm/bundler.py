"""Makes the bundles that others ask for, of what this node holds."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from libreseed.store.blobs import BlobStore
from libreseed.swarm.bundle import MAX_FILE, MAX_FILES, Member
from libreseed.swarm.held import Held, HeldBlobs
from libreseed.swarm.offers import Offers

MAX_BYTES = 4 << 20
"""Bytes of a bundle with blobs that nobody has asked for."""


class Bundler:
    """Chooses what of the blobs that are `held` goes into a bundle, and lets `offers` seed it."""

    def __init__(self, offers: Offers, blobs: BlobStore, held: HeldBlobs) -> None:
        self._offers = offers
        self._blobs = blobs
        self._held = held

    def bundle(self, digests: Collection[bytes], fetched: Collection[bytes] = ()) -> list[bytes]:
        """Return the v2 infohashes of torrents that have those of these blobs that are shared and small enough.

        Those of earlier askers that have many of them come first, then the own torrents of what somebody else has
        `fetched` by that lately: so all fetch the same torrents, and give to each other. What is left goes into a new
        one, unless there is no room, together with what may be wanted next: to want more of a torrent that one has
        costs little, another torrent some milliseconds.
        """
        members = self._members(digests)
        found = self._offers.find_overlapping(members.keys())
        for v2 in found:
            for digest in self._offers.digests(v2):
                members.pop(digest, None)
        alone = [members.pop(digest) for digest in [*members] if digest in fetched]
        found += [self._held[each.digest].ref.v2 for each in alone]
        if 0 < len(members) <= MAX_FILES:
            bundled = [*members.values(), *self._companions(members, {*digests})]
            new = self._offers.offer(bundled, [self._blobs.path(each.digest) for each in bundled])
            found += [new] if new else []
        return found

    def members(self, v2: bytes) -> bytes:
        """Return what is in the bundle with this infohash (see `pack_members`), empty when that is unknown."""
        return self._offers.members(v2)

    def _companions(self, members: Mapping[bytes, Member], asked: Collection[bytes]) -> Iterator[Member]:
        """Yield what is probably wanted next: what came here after these and was not `asked` for, as long as there is
        room."""
        room = MAX_BYTES - sum(each.length for each in members.values())
        files = MAX_FILES - len(members)
        for held in self._held.after(members):
            room -= held.ref.length
            if room < 0 or files <= 0:
                return
            if _is_bundled(held) and held.ref.sha512 not in asked and not self._offers.has(held.ref.sha512):
                files -= 1
                yield _member(held)

    def _members(self, digests: Iterable[bytes]) -> dict[bytes, Member]:
        found = {digest: held for digest in digests if (held := self._held.get(digest)) is not None}
        return {digest: _member(held) for digest, held in found.items() if _is_bundled(held)}


def _is_bundled(held: Held) -> bool:
    return held.shared and held.ref.length <= MAX_FILE


def _member(held: Held) -> Member:
    return Member(held.ref.sha512, held.ref.length, held.root)
