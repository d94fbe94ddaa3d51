"""Groups of background tasks, and work on many items with limited concurrency."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from libreseed.errors import LibreseedError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """Background tasks that `stop` cancels together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task. Its failure is logged: a LibreseedError by its message, others with a traceback."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def stop(self) -> None:
        """Cancel all tasks and wait for their end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LibreseedError):
            log.error("%s", error)
        elif error is not None:
            log.error("A background task failed: %r", error, exc_info=error)


async def each(work: Callable[[T], Coroutine[None, None, None]], items: Iterable[T], limit: int) -> None:
    """Do `work` on every item, at most `limit` at a time."""
    remaining = iter(items)

    async def worker() -> None:
        for item in remaining:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(worker())
