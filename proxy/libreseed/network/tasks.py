"""Tasks with an owner."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable

log = logging.getLogger(__name__)


class Tasks:
    """Background tasks of one owner, who ends them all with `stop`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[None, None, None]) -> None:
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
        if not task.cancelled() and (error := task.exception()):
            log.error("A background task of the overlay failed: %r", error, exc_info=error)


async def each(work: Iterable[Coroutine[None, None, None]], limit: int) -> None:
    """Run all of `work`, at most `limit` at a time."""
    slots = asyncio.Semaphore(limit)

    async def one(job: Coroutine[None, None, None]) -> None:
        try:
            await job
        finally:
            slots.release()

    async with asyncio.TaskGroup() as group:
        for job in work:
            await slots.acquire()
            group.create_task(one(job))
