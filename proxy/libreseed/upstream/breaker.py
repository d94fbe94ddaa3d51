"""A circuit breaker: after a number of failed connections to a server, requests to it fail at once for a while; then
one request tries it again.

Only faults of the connection count. An answer of whatever status closes the breaker.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp

from libreseed.errors import UnavailableError
from libreseed.upstream.limits import Limits


class Breaker:
    """The circuit breaker of one server. `limits`: `faults`, `pause` and `longest_pause`; `clock` gives seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._faults = 0
        self._pause = 0.0
        self._until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether requests fail at once, but for one that tries the server."""
        return self._pause > 0

    @property
    def wait(self) -> float:
        """Seconds until the server is tried again, 0 when it may be asked now."""
        return max(0.0, self._until - self._clock()) if self.is_open else 0.0

    @contextmanager
    def attempt(self, server: str) -> Iterator[None]:
        """Guard one request, the body, and count how it ends. Raises UnavailableError when the breaker is open;
        `server` is how messages name it."""
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
            raise  # the server can be reached, and a certificate is refused without a wait
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
