"""The bundles that this node gives to others, for as long as they may want them: those that it has made for them, and
those that came here and go on."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from libreseed.swarm.bundle import Member, make_bundle, pack_members
from libreseed.swarm.session import Session

MAX_OFFERS = 256
MIN_AGE = 10.0
"""Seconds for which a bundle stays that was just asked for, whoever asks for others."""
MAX_FOUND = 8
"""Bundles that one request is answered with, beside a new one."""


class EndTorrent(Protocol):
    """Ends the torrent of a bundle that came here, and discards its files unless they are kept."""

    def __call__(self, *, keep_folder: bool) -> None: ...


class _Offer(NamedTuple):
    asked_at: float
    digests: frozenset[bytes]
    end: EndTorrent
    members: bytes
    folder: Path | None = None


class Offers:
    """At most 256 bundles; the one that was asked for longest ago makes room."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._offers: OrderedDict[bytes, _Offer] = OrderedDict()

    def offer(self, members: Sequence[Member], places: Sequence[Path]) -> bytes:
        """Seed the bundle of these blobs, which lie at `places`; return its v2 infohash. Empty: not now, there is no
        room."""
        bundle = make_bundle(members)
        if bundle.v2 in self._offers:
            self._touch(bundle.v2)
            return bundle.v2
        if not self._has_room():
            return b""
        by_name = {each.digest.hex(): place for each, place in zip(members, places, strict=True)}
        self._session.seed_files(bundle.metadata, by_name)
        digests = frozenset(each.digest for each in members)
        self._offers[bundle.v2] = _Offer(
            self._clock(), digests, lambda **_: self._session.unseed(bundle.v2), pack_members(members)
        )
        return bundle.v2

    def keep(self, v2: bytes, digests: Collection[bytes], members: bytes, folder: Path, end: EndTorrent) -> None:
        """Go on giving a bundle that has come into `folder`. It is offered to others for these blobs, none unless it is
        whole. `members` as they were told us, empty when that is unknown."""
        if v2 in self._offers or not self._has_room():
            end(keep_folder=False)
        else:
            self._offers[v2] = _Offer(self._clock(), frozenset(digests), end, members, folder)

    def reopen(self, v2: bytes) -> Path | None:
        """Offer a bundle no longer of which more is to come, and return the folder in which it is; None when it has not
        come here before."""
        if v2 not in self._offers:
            return None
        offer = self._offers.pop(v2)
        offer.end(keep_folder=True)
        return offer.folder

    def find_overlapping(self, digests: Collection[bytes]) -> list[bytes]:
        """Return the v2 infohashes of bundles that have many of these blobs, at most 8; they count as asked for."""
        left = set(digests)
        found: list[bytes] = []
        while left and len(found) < MAX_FOUND:
            common, v2 = max(((len(left & each.digests), v2) for v2, each in self._offers.items()), default=(0, b""))
            if not common:
                break
            found.append(v2)
            left -= self._offers[v2].digests
            self._touch(v2)
        return found

    def has(self, digest: bytes) -> bool:
        """Tell whether a blob is in a bundle that is offered."""
        return any(digest in each.digests for each in self._offers.values())

    def members(self, v2: bytes) -> bytes:
        """Return what is in a bundle (see `pack_members`), empty when it is not offered or that is unknown."""
        return self._offers[v2].members if v2 in self._offers else b""

    def digests(self, v2: bytes) -> frozenset[bytes]:
        """Return the SHA-512 of the blobs in a bundle that is offered."""
        return self._offers[v2].digests

    def forget(self, digest: bytes) -> None:
        """Offer nothing any longer that this blob is in."""
        for v2 in [v2 for v2, each in self._offers.items() if digest in each.digests]:
            self._offers.pop(v2).end(keep_folder=False)

    def _touch(self, v2: bytes) -> None:
        self._offers[v2] = self._offers.pop(v2)._replace(asked_at=self._clock())

    def _has_room(self) -> bool:
        if len(self._offers) < MAX_OFFERS:
            return True
        v2, oldest = next(iter(self._offers.items()))
        if self._clock() - oldest.asked_at < MIN_AGE:
            return False
        self._offers.pop(v2).end(keep_folder=False)
        return True
