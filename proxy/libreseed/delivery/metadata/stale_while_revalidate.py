"""Decides how long a client waits for a fresh answer while a stale one is stored (RFC 5861, stale-while-revalidate)."""

import asyncio
import time
from typing import Any


class StaleWhileRevalidate:
    """Lets requests wait at most `max_wait` seconds for a source, and not at all for a slow one.

    A source is slow from when it does not answer within that time until it does so again.
    """

    def __init__(self, max_wait: float) -> None:
        self.max_wait = max_wait
        self._slow: set[str | None] = set()

    async def wait(self, task: "asyncio.Task[Any]", source: str | None) -> bool:
        """Wait for `task`, a request to `source`, and return whether it is done."""
        started = time.monotonic()
        task.add_done_callback(lambda done: self._note(done, source, time.monotonic() - started))
        await asyncio.wait([task], timeout=0 if source in self._slow else self.max_wait)
        if not task.done():
            self._slow.add(source)
        return task.done()

    def _note(self, task: "asyncio.Task[Any]", source: str | None, took: float) -> None:
        if took < self.max_wait and not task.cancelled() and task.exception() is None:
            self._slow.discard(source)
