"""Who asked lately to fetch the same: each asker is told of the others, as a BitTorrent tracker does (BEP 3).

Hosts that start in the same second would else each take a whole copy from the one that has it. An asker also learns its
number among them, so that each begins with another part (docs/protocol.md, 11).
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from libreseed.trust.records import Endpoint

LIFETIME = 15.0
"""Seconds for which an asker counts after it asked."""
MAX_KEYS = 16384
"""Things that are fetched at a time; the one that was asked for longest ago makes room."""
MAX_ASKERS = 64
"""Askers of one of them that are remembered."""
MAX_TOLD = 32
"""Askers that one answer names: those that came last."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an asker is told: its number among those who asked lately, from 0; how many they are, itself included; and
    the BitTorrent endpoints of others."""

    number: int = 0
    count: int = 1
    peers: tuple[Endpoint, ...] = ()


class _Asker(NamedTuple):
    number: int
    asked_at: float


class Introductions:
    """Askers by what they fetch: the target of a blob, or the infohash of a bundle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._askers: OrderedDict[bytes, OrderedDict[Endpoint, _Asker]] = OrderedDict()

    def introduce(self, key: bytes, asker: Endpoint | None) -> Introduction:
        """Note that `asker` fetches `key` from now on, and tell it of the others. None: it is not to be told of."""
        askers = self._live(key)
        others = tuple(endpoint for endpoint in reversed(askers) if endpoint != asker)[:MAX_TOLD]
        if asker is None:
            return Introduction(len(askers), len(askers) + 1, others)
        known = askers.pop(asker, None)
        number = known.number if known is not None else _lowest_free({each.number for each in askers.values()})
        askers[asker] = _Asker(number, self._clock())
        while len(askers) > MAX_ASKERS:
            askers.popitem(last=False)
        # Others with lower numbers may have ceased to count, so the rank among those that do is told.
        rank = sum(each.number < number for each in askers.values())
        return Introduction(rank, len(askers), others)

    def count_others(self, key: bytes, asker: Endpoint | None) -> int:
        """Return how many others fetch `key`."""
        askers: Mapping[Endpoint, _Asker] = self._askers.get(key, {})
        deadline = self._clock() - LIFETIME
        return sum(each.asked_at > deadline for endpoint, each in askers.items() if endpoint != asker)

    def _live(self, key: bytes) -> OrderedDict[Endpoint, _Asker]:
        """Return who asked for it lately, the latest last; it counts as asked for now."""
        askers = self._askers.pop(key, OrderedDict())
        deadline = self._clock() - LIFETIME
        while askers and next(iter(askers.values())).asked_at <= deadline:
            askers.popitem(last=False)
        self._askers[key] = askers
        while len(self._askers) > MAX_KEYS:
            self._askers.popitem(last=False)
        return askers


def _lowest_free(taken: set[int]) -> int:
    return next(number for number in range(len(taken) + 1) if number not in taken)
