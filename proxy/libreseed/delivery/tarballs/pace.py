"""Whether the swarm delivers as quickly as the upstream would: a holder may deliver its first bytes, then trickle."""

from collections import deque

LOOK = 0.25
"""Seconds between two looks at what has come."""
WINDOW = 1.5
"""Seconds over which the rate is taken; for as long nothing at all may come."""
SLOWER = 0.5
"""The part of the upstream's rate that is enough: to ask it too costs a second copy."""


class Pace:
    """The rate of a fetch whose first bytes have come, by what it is told every LOOK seconds."""

    def __init__(self, received: int, now: float) -> None:
        """`received`: bytes so far, `now`: seconds of any clock."""
        self._seen: deque[tuple[float, int]] = deque([(now, received)])

    def holds(self, received: int, rate: float, now: float) -> bool:
        """Tell whether at least half of `rate`, in bytes a second, has come lately; true until that can be told."""
        self._seen.append((now, received))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        return now - since < WINDOW or (received - before) / (now - since) >= rate * SLOWER
