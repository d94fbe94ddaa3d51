"""Keys ordered by how near they are to us, so that the farthest is at hand when room is needed."""

from collections import OrderedDict

from libreseed.network.overlay.routing import ID_LENGTH, distance


class DistanceIndex:
    """A set of 20-byte keys in classes of distance to `own_id`; each step is O(1)."""

    def __init__(self, own_id: bytes) -> None:
        self._own_id = own_id
        self._classes: list[OrderedDict[bytes, None]] = [OrderedDict() for _ in range(ID_LENGTH * 8 + 1)]

    def add(self, key: bytes) -> None:
        self._classes[self.rank(key)].setdefault(key, None)

    def remove(self, key: bytes) -> None:
        self._classes[self.rank(key)].pop(key, None)

    def farthest(self) -> bytes | None:
        """Return the oldest key of the farthest class."""
        return next((next(iter(keys)) for keys in reversed(self._classes) if keys), None)

    def rank(self, key: bytes) -> int:
        """Return a key's class: 0 is ourselves, 160 the other half of the key space."""
        return distance(self._own_id, key).bit_length()
