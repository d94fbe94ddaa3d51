"""Runs work for a key once for all concurrent callers, and lets it finish when these have been cancelled.

Named after Go's `golang.org/x/sync/singleflight`.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from libreseed.errors import LibreseedError, UnavailableError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """At most one task for each key. `close` cancels the tasks and waits for them.

    A task whose callers have all been cancelled is abandoned, and goes on; beyond `max_abandoned` such tasks the next
    ones are cancelled.
    """

    def __init__(self, max_abandoned: int = 256) -> None:
        self.max_abandoned = max_abandoned
        self._tasks: dict[K, asyncio.Task[V]] = {}
        self._attending: Counter[K] = Counter()
        self._abandoned: set[K] = set()
        self._ending: set[asyncio.Task[V]] = set()
        self._closed = False

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> "asyncio.Task[V]":
        """Return the task of `key`, started now if there is none. Raises UnavailableError after `close`."""
        task = self._tasks.get(key)
        if task is None:
            if self._closed:
                raise UnavailableError("This node is shutting down.")
            task = asyncio.create_task(work())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return task

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Return the result of the task of `key`, started now if there is none. Cancelling the caller does not cancel
        the task. Raises what the work raises, and as `start`."""
        with self.attended(key, work) as task:
            await asyncio.wait([task])
        return outcome(task)

    @contextmanager
    def attended(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> "Iterator[asyncio.Task[V]]":
        """Give the task of `key`, started now if there is none; the caller counts as waiting for it until the context
        is left. Raises as `start`."""
        task = self.start(key, work)
        self._attending[key] += 1
        self._abandoned.discard(key)
        try:
            yield task
        finally:
            self._attending[key] -= 1
            if not self._attending[key]:
                del self._attending[key]
                if not task.done():
                    self._abandon(key, task)

    def __len__(self) -> int:
        """Return the number of running tasks."""
        return len(self._tasks)

    @property
    def abandoned(self) -> int:
        """The number of running tasks whose callers have all been cancelled."""
        return len(self._abandoned)

    @property
    def is_busy(self) -> bool:
        """Whether any task is running."""
        return bool(self._tasks)

    async def idle(self) -> None:
        """Wait until no task is running."""
        while self._tasks:
            await asyncio.wait([*self._tasks.values()])

    async def close(self) -> None:
        """Cancel all tasks and wait for them."""
        self._closed = True
        tasks = [*self._tasks.values(), *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _abandon(self, key: K, task: "asyncio.Task[V]") -> None:
        if len(self._abandoned) < self.max_abandoned:
            self._abandoned.add(key)
            return
        # The next caller gets a new task.
        del self._tasks[key]
        self._ending.add(task)
        task.cancel()

    def _end(self, key: K, task: "asyncio.Task[V]") -> None:
        self._ending.discard(task)
        if self._tasks.get(key) is task:
            del self._tasks[key]
            self._abandoned.discard(key)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LibreseedError):
            log.debug("%s: %s", key, error)
        elif error is not None:
            log.error("%s failed", key, exc_info=error)


def outcome(task: "asyncio.Task[V]") -> V:
    """Return the result of a finished task. Raises what it raised, UnavailableError when it was cancelled."""
    if task.cancelled():
        raise UnavailableError("This node is shutting down.")
    return task.result()
