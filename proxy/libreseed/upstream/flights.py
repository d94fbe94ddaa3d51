"""Single flight: many callers that want the same thing share the work of one."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from libreseed.errors import UnavailableError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Flight(Generic[V]):
    task: asyncio.Task[V]
    callers: int = 0


class SingleFlight(Generic[K, V]):
    """Runs at most one piece of work a key at a time. One event loop only.

    A caller that is cancelled leaves the others alone; when the last one leaves, the work is cancelled, since
    nobody wants its result.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    async def run(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Return the result of the work under way for `key`, started now if there is none.

        Raises what the work raises; UnavailableError when it was ended by `close`.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(work()))
            self._flights[key] = flight
        flight.callers += 1
        task = flight.task
        try:
            await asyncio.wait({task})
        finally:
            flight.callers -= 1
            if flight.callers == 0:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()  # nobody else will look at it, and asyncio reports what nobody looked at
        if task.cancelled():
            raise UnavailableError("The request was given up because the server is closing.")
        return task.result()

    async def close(self) -> None:
        """Cancel all work and wait for its end."""
        tasks = [flight.task for flight in self._flights.values()]
        self._flights.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
