"""Work that is done once however many ask for it, and that goes on when those who asked have left.

The name is that of Go's `golang.org/x/sync/singleflight`.
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
    """At most one task a key. Owns its tasks: `close` cancels and awaits them.

    Of the tasks that somebody waited for, and nobody does any more, `max_abandoned` go on.
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
        """Wait for the task of `key`; being cancelled leaves it running. Raises what the work raises."""
        with self.attended(key, work) as task:
            await asyncio.wait([task])
        return outcome(task)

    @contextmanager
    def attended(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> "Iterator[asyncio.Task[V]]":
        """Give the task of `key`, started now if there is none, to somebody who waits for it. Raises as `start`."""
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
        """How many tasks are under way."""
        return len(self._tasks)

    @property
    def abandoned(self) -> int:
        """How many tasks are under way that nobody waits for any more."""
        return len(self._abandoned)

    @property
    def is_busy(self) -> bool:
        """Whether any task is under way."""
        return bool(self._tasks)

    async def idle(self) -> None:
        """Wait until no task is under way."""
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
        # Whoever asks next gets a task of his own.
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
    """Return the result of a task that is done. Raises what it raised, UnavailableError when it was cancelled."""
    if task.cancelled():
        raise UnavailableError("This node is shutting down.")
    return task.result()
