"""A circuit breaker: a server that cannot be reached is left alone for a while, and then tried by one request.

Only faults of the connection count. A server that answers is there, whatever it says.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp

from libreseed.errors import UnavailableError
from libreseed.upstream.limits import Limits


class Breaker:
    """Guards the requests to one server."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._faults = 0
        self._pause = 0.0
        self._until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the server is left alone, but for a request that tries it."""
        return self._pause > 0

    @property
    def wait(self) -> float:
        """Seconds until it is tried again, 0 when it may be asked now."""
        return max(0.0, self._until - self._clock()) if self.is_open else 0.0

    @contextmanager
    def attempt(self, server: str) -> Iterator[None]:
        """Let a request to `server` through, and learn from how it ends. Raises UnavailableError: not now."""
        if self.is_open and (self.wait or self._probing):
            wait = self.wait or self._limits.connect
            when = f"in {math.ceil(wait)} s" if self.wait else "right now"
            raise UnavailableError(
                f"{server} could not be reached {self._faults} times in a row; it is tried again {when}.",
                hint="What is stored still installs; `libreseed status` shows each upstream.",
                wait=wait,
            )
        probe = self._probing = self.is_open
        try:
            yield
        except aiohttp.ClientSSLError:
            raise  # it is there, and what is wrong with it takes no time to find out
        except aiohttp.ClientConnectionError:
            self._fail()
            raise
        else:
            self._faults, self._pause = 0, 0.0
        finally:
            if probe:
                self._probing = False

    def _fail(self) -> None:
        self._faults += 1
        if self._faults >= self._limits.faults and not self.wait:
            self._pause = min(self._pause * 2 or self._limits.pause, self._limits.longest_pause)
            self._until = self._clock() + self._pause
