"""The bundles that this node has made for others, and seeds for as long as they may want them."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from libreseed.swarm.bundle import Member, make_bundle, path_in_bundle
from libreseed.swarm.session import Session
from libreseed.trust.records import Endpoint

MAX_OFFERS = 256
MAX_FOUND = 3
MIN_AGE = 10.0
"""Seconds for which a bundle stays that was just asked for, whoever asks for others."""


class Offers:
    """At most 256 bundles; the one that was asked for longest ago makes room."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._offers: OrderedDict[bytes, tuple[float, frozenset[bytes]]] = OrderedDict()

    def offer(self, members: Sequence[Member], places: Sequence[Path], peers: Iterable[Endpoint] = ()) -> bytes:
        """Seed the bundle of these blobs, which lie at `places`; return its v2 infohash. Empty: not now, there is no
        room. `peers` may still want it."""
        bundle = make_bundle(members)
        digests = frozenset(each.digest for each in members)
        known = self._offers.pop(bundle.v2, None)
        if known is None:
            if len(self._offers) >= MAX_OFFERS and not self._drop_oldest():
                return b""
            paths = [path_in_bundle(each.digest) for each in members]
            self._session.seed_files(bundle.metadata, dict(zip(paths, places, strict=True)), peers)
        self._offers[bundle.v2] = (self._clock(), digests)
        return bundle.v2

    def find_overlapping(self, digests: Collection[bytes]) -> list[bytes]:
        """Return the v2 infohashes of bundles that have many of these blobs, at most 3, none of them twice; they count
        as asked for."""
        left = set(digests)
        found: list[bytes] = []
        least = max(1, len(left) // 4)
        while len(found) < MAX_FOUND:
            common, v2 = max(((len(left & members), v2) for v2, (_, members) in self._offers.items()), default=(0, b""))
            if common < least:
                break
            found.append(v2)
            left -= self._offers[v2][1]
            self._offers[v2] = (self._clock(), self._offers.pop(v2)[1])
        return found

    def members(self, v2: bytes) -> frozenset[bytes]:
        """Return the SHA-512 of the blobs in a bundle that is offered."""
        return self._offers[v2][1]

    def forget(self, digest: bytes) -> None:
        """Offer nothing any longer that this blob is in."""
        for v2 in [v2 for v2, (_, digests) in self._offers.items() if digest in digests]:
            del self._offers[v2]
            self._session.unseed(v2)

    def _drop_oldest(self) -> bool:
        v2, (asked_at, _) = next(iter(self._offers.items()))
        if self._clock() - asked_at < MIN_AGE:
            return False
        del self._offers[v2]
        self._session.unseed(v2)
        return True
