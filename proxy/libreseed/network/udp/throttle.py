"""A limit on what one stranger can make us send: forged requests must not turn this node into an amplifier."""

import time
from collections import OrderedDict
from collections.abc import Callable

from libreseed.network.addresses import PUBLIC, prefix_of, scope_of

RATE = 256 * 1024
"""Bytes of answers a second for one public IP prefix."""
BURST = 1024 * 1024
LOCAL_FACTOR = 256
"""How much more a colleague on our own machine or private network may ask for."""
_REMEMBERED = 4096


class Throttle:
    """A token bucket for each IP prefix."""

    def __init__(self, rate: int = RATE, burst: int = BURST, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def allows(self, ip: str, size: int) -> bool:
        """Take `size` bytes out of the bucket of `ip`; false when it does not hold as many."""
        factor = 1 if scope_of(ip) == PUBLIC else LOCAL_FACTOR
        now = self._clock()
        prefix = prefix_of(ip)
        level, at = self._buckets.pop(prefix, (self._burst * factor, now))
        level = min(level + (now - at) * self._rate * factor, self._burst * factor)
        allowed = level >= size
        self._buckets[prefix] = (level - size if allowed else level, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return allowed
