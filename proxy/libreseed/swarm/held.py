"""What this node holds: each blob, whether others may have it, and the root of its hash tree."""

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass

from libreseed.trust.records import BlobRef


@dataclass(frozen=True, slots=True)
class Held:
    """A blob of the store. `root` is that of its hash tree (BEP 52); `shared`, when others may have it."""

    ref: BlobRef
    shared: bool
    root: bytes


class HeldBlobs(MutableMapping[bytes, Held]):
    """The blobs of a node by SHA-512, in the order in which they came. `Seeding` alone changes it; others look."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}
        self._order: list[bytes] = []
        self._places: dict[bytes, int] = {}

    def __getitem__(self, digest: bytes) -> Held:
        return self._held[digest]

    def __setitem__(self, digest: bytes, held: Held) -> None:
        if digest not in self._held:
            self._places[digest] = len(self._order)
            self._order.append(digest)
        self._held[digest] = held

    def __delitem__(self, digest: bytes) -> None:
        del self._held[digest]
        del self._places[digest]
        if len(self._order) > 2 * len(self._held) + 1:
            self._order = [*self._held]
            self._places = {each: place for place, each in enumerate(self._order)}

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def after(self, digests: Iterable[bytes]) -> Iterator[Held]:
        """Yield what came after these blobs, the next of each first; none of it twice, and none of them."""
        seen = set(digests)
        places = sorted(self._places[digest] for digest in seen if digest in self._places)
        while places:
            places = [place + 1 for place in places if place + 1 < len(self._order)]
            for digest in [self._order[place] for place in places]:
                held = self._held.get(digest)
                if held is not None and digest not in seen:
                    seen.add(digest)
                    yield held
