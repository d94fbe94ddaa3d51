"""What makes bundles for others in tests: as a test says."""

from collections.abc import Callable, Collection, Sequence

MakeBundles = Callable[[Sequence[bytes], Collection[bytes]], Sequence[bytes]]


def make_none(*_: object) -> Sequence[bytes]:
    return ()


class BundlesBy:
    """Makes them by functions, which may be replaced."""

    def __init__(self, make: MakeBundles = make_none, members: Callable[[bytes], bytes] = lambda _: b"") -> None:
        self.make = make
        self.tell_members = members

    def bundle(self, digests: Sequence[bytes], fetched: Collection[bytes]) -> Sequence[bytes]:
        return self.make(digests, fetched)

    def members(self, v2: bytes) -> bytes:
        return self.tell_members(v2)
