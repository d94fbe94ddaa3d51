"""A limit on guessing passwords and codes, by account and by address, kept in bounded memory."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from libreseed.errors import ForbiddenError

BURST = 10
"""Wrong guesses in a row that are allowed."""
REFILL = 30.0
"""Seconds after which one more is allowed."""
_REMEMBERED = 10_000


class Attempts:
    """A token bucket for each key: `burst` guesses, and one more every `refill` seconds. A guess is taken before it is
    checked, so that concurrent guesses are counted too, and given back when it was right."""

    def __init__(self, burst: int = BURST, refill: float = REFILL, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._refill = refill
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, *keys: str) -> None:
        """Take one guess for each key. Raises ForbiddenError when one of them has none left; then nothing is taken."""
        now = self._clock()
        levels = {key: self._level(key, now) for key in keys}
        least = min(levels.values())
        if least < 1:
            minutes = math.ceil((1 - least) * self._refill / 60)
            raise ForbiddenError(
                "Too many wrong passwords or codes.", hint=f"Try again in {minutes} minute{'s' * (minutes > 1)}."
            )
        for key, level in levels.items():
            self._put(key, level - 1, now)

    def give_back(self, *keys: str) -> None:
        """Give back one guess for each key, since it was right."""
        now = self._clock()
        for key in keys:
            self._put(key, self._level(key, now) + 1, now)

    def _level(self, key: str, now: float) -> float:
        level, at = self._buckets.get(key, (float(self._burst), now))
        return min(level + (now - at) / self._refill, self._burst)

    def _put(self, key: str, level: float, now: float) -> None:
        self._buckets.pop(key, None)
        if level < self._burst:
            self._buckets[key] = (level, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
