"""The bundles that this node has made for others, and seeds for as long as they may want them."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from libreseed.swarm.bundle import Member, make_bundle, path_in_bundle
from libreseed.swarm.session import Session

MAX_OFFERS = 256
MIN_AGE = 10.0
"""Seconds for which a bundle stays that was just asked for, whoever asks for others."""


class Offers:
    """At most 256 bundles; the one that was asked for longest ago makes room."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._offers: OrderedDict[bytes, tuple[float, frozenset[bytes]]] = OrderedDict()

    def offer(self, members: Sequence[Member], places: Sequence[Path]) -> bytes:
        """Seed the bundle of these blobs, which lie at `places`; return its v2 infohash. Empty: not now, there is no
        room."""
        bundle = make_bundle(members)
        digests = frozenset(each.digest for each in members)
        known = self._offers.pop(bundle.v2, None)
        if known is None:
            if len(self._offers) >= MAX_OFFERS and not self._drop_oldest():
                return b""
            paths = [path_in_bundle(each.digest) for each in members]
            self._session.seed_files(bundle.metadata, dict(zip(paths, places, strict=True)))
        self._offers[bundle.v2] = (self._clock(), digests)
        return bundle.v2

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
