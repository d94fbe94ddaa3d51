"""How long a client waits for news while an old answer is at hand."""

import asyncio
import time
from typing import Any


class Patience:
    """`seconds` for each answer, but none for a source that let somebody wait in vain and was not quicker since."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slow: set[str | None] = set()

    async def wait(self, task: "asyncio.Task[Any]", source: str | None) -> bool:
        """Wait for what `source` was asked, and tell whether it has come."""
        started = time.monotonic()
        task.add_done_callback(lambda done: self._note(done, source, time.monotonic() - started))
        await asyncio.wait([task], timeout=0 if source in self._slow else self._seconds)
        if not task.done():
            self._slow.add(source)
        return task.done()

    def _note(self, task: "asyncio.Task[Any]", source: str | None, took: float) -> None:
        if took < self._seconds and not task.cancelled() and task.exception() is None:
            self._slow.discard(source)
