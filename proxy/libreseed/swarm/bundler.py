"""Makes the bundles that others ask for, of what this node holds."""

from collections.abc import Iterable

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

    def bundle(self, digests: Iterable[bytes]) -> bytes:
        """Seed as one torrent those of these blobs that are shared and small enough, for whoever asked for them; return
        its v2 infohash. Empty when they are fewer than two or more than 48, or for want of room."""
        found = {digest: held for digest in digests if (held := self._held.get(digest)) is not None}
        members = [
            Member(digest, held.ref.length, held.root)
            for digest, held in found.items()
            if held.shared and held.ref.length <= MAX_FILE
        ]
        if not 2 <= len(members) <= MAX_FILES:
            return b""
        return self._offers.offer(members, [self._blobs.path(each.digest) for each in members])
