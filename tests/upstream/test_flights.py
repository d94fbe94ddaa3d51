import asyncio
import gc

import pytest

from libreseed.errors import NotFoundError, UnavailableError
from libreseed.upstream.flights import SingleFlight


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.result: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> int:
        self.runs += 1
        self.started.set()
        try:
            return await asyncio.shield(self.result)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def test_callers_share_one_run() -> None:
    flights, work = SingleFlight[str, int](), Work()
    callers = [asyncio.ensure_future(flights.run("key", work)) for _ in range(50)]
    await work.started.wait()
    work.result.set_result(7)
    assert await asyncio.gather(*callers) == [7] * 50
    assert work.runs == 1


async def test_different_keys_do_not_share() -> None:
    flights, work = SingleFlight[str, int](), Work()
    work.result.set_result(7)
    await asyncio.gather(flights.run("one", work), flights.run("two", work))
    assert work.runs == 2


async def test_every_caller_gets_the_error_and_the_next_one_starts_anew() -> None:
    flights, work = SingleFlight[str, int](), Work()
    work.result.set_exception(NotFoundError("no"))
    results = await asyncio.gather(*(flights.run("key", work) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [NotFoundError] * 3
    with pytest.raises(NotFoundError):
        await flights.run("key", work)
    assert work.runs == 2


async def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    flights, work = SingleFlight[str, int](), Work()
    leaving, staying = (asyncio.ensure_future(flights.run("key", work)) for _ in range(2))
    await work.started.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    work.result.set_result(7)
    assert await staying == 7
    assert not work.cancelled.is_set()


async def test_the_work_ends_when_the_last_caller_leaves() -> None:
    flights, work = SingleFlight[str, int](), Work()
    callers = [asyncio.ensure_future(flights.run("key", work)) for _ in range(2)]
    await work.started.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert work.cancelled.is_set()


async def test_an_error_that_nobody_waits_for_is_not_reported() -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
    started = asyncio.Event()

    async def fail_when_cancelled() -> int:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise NotFoundError("no")

    caller = asyncio.ensure_future(SingleFlight[str, int]().run("key", fail_when_cancelled))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller  # its traceback leads to the work, and the loop holds it for one more turn
    await asyncio.sleep(0)
    gc.collect()
    assert reports == []


async def test_close_tells_the_callers() -> None:
    flights, work = SingleFlight[str, int](), Work()
    caller = asyncio.ensure_future(flights.run("key", work))
    await work.started.wait()
    await flights.close()
    with pytest.raises(UnavailableError, match="closing"):
        await caller
