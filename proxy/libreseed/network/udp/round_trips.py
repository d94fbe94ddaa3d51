"""Time-outs from measured round trips, as TCP takes them (RFC 6298)."""

import time
from collections import OrderedDict
from collections.abc import Callable

from libreseed.network.addresses import Address, scope_of

MIN_TIMEOUT = 0.1
"""Seconds; a busy Python process needs them now and then, however near it is."""
MAX_TIMEOUT = 2.0
_FIRST_TIMEOUT = (0.1, 0.1, 0.5)
"""Seconds for an address that was never measured: loopback, private, public."""
SILENCE = 60.0
"""Seconds for which an address that gave no answer is not asked by lookups."""
_REMEMBERED = 4096


class _Trip:
    __slots__ = ("mean", "silent_until", "variance")

    def __init__(self) -> None:
        self.mean = 0.0
        self.variance = 0.0
        self.silent_until = 0.0


class RoundTrips:
    """What is known about the latest addresses: smoothed round trip, its variance, and who is silent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._trips: OrderedDict[Address, _Trip] = OrderedDict()

    def timeout(self, address: Address) -> float:
        """Return the seconds after which an answer of this address is late."""
        trip = self._trips.get(address)
        if trip is None or not trip.mean:
            return _FIRST_TIMEOUT[scope_of(address[0])]
        return min(max(trip.mean + 4 * trip.variance, MIN_TIMEOUT), MAX_TIMEOUT)

    def smoothed(self, address: Address) -> float:
        """Return the smoothed round trip of this address in seconds, 0 when it was not measured."""
        trip = self._trips.get(address)
        return trip.mean if trip else 0.0

    def answered(self, address: Address, seconds: float) -> None:
        """Take in one measured round trip."""
        trip = self._trip(address)
        trip.silent_until = 0.0
        if trip.mean:
            trip.variance += (abs(trip.mean - seconds) - trip.variance) / 4
            trip.mean += (seconds - trip.mean) / 8
        else:
            trip.mean, trip.variance = seconds, seconds / 2

    def silent(self, address: Address) -> None:
        """Note that an answer is late or missing."""
        self._trip(address).silent_until = self._clock() + SILENCE

    def heard(self, address: Address) -> None:
        """Note that the address sent something, so it is worth asking again."""
        if trip := self._trips.get(address):
            trip.silent_until = 0.0

    def is_silent(self, address: Address) -> bool:
        trip = self._trips.get(address)
        return trip is not None and trip.silent_until > self._clock()

    def _trip(self, address: Address) -> _Trip:
        trip = self._trips.get(address)
        if trip is None:
            trip = self._trips[address] = _Trip()
            if len(self._trips) > _REMEMBERED:
                self._trips.popitem(last=False)
        else:
            self._trips.move_to_end(address)
        return trip
