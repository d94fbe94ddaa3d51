"""How long a client waits for news while an old answer is at hand (RFC 5861, stale-while-revalidate)."""

import asyncio
import time
from typing import Any


class StaleWhileRevalidate:
    """Lets each answer wait `max_wait` seconds for its source, and none for a source that is slow.

    A source is slow when somebody waited for it in vain, until it is quicker again.
    """

    def __init__(self, max_wait: float) -> None:
        self.max_wait = max_wait
        self._slow: set[str | None] = set()

    async def wait(self, task: "asyncio.Task[Any]", source: str | None) -> bool:
        """Wait for what `source` was asked, and tell whether it has come."""
        started = time.monotonic()
        task.add_done_callback(lambda done: self._note(done, source, time.monotonic() - started))
        await asyncio.wait([task], timeout=0 if source in self._slow else self.max_wait)
        if not task.done():
            self._slow.add(source)
        return task.done()

    def _note(self, task: "asyncio.Task[Any]", source: str | None, took: float) -> None:
        if took < self.max_wait and not task.cancelled() and task.exception() is None:
            self._slow.discard(source)
