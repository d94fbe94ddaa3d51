import asyncio
import logging

import pytest

from libreseed.concurrency.single_flight import SingleFlight
from libreseed.errors import NotFoundError, UnavailableError


class Work:
    """Runs until it is told to go on; counts how often it was started."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.started = 0
        self.runs = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self) -> str:
        self.started += 1
        self.runs.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return f"result {self.started}"


async def test_one_task_for_all_who_ask() -> None:
    flight: SingleFlight[str, str] = SingleFlight()
    work = Work()
    askers = [asyncio.create_task(flight.run("a", work)) for _ in range(20)]
    await asyncio.sleep(0)
    work.go.set()
    assert set(await asyncio.gather(*askers)) == {"result 1"}
    assert await flight.run("a", work) == "result 2", "what is done is not kept"
    assert await flight.run("b", work) == "result 3"


async def test_work_outlives_those_who_asked() -> None:
    flight: SingleFlight[str, str] = SingleFlight()
    work = Work()
    asker = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    asker.cancel()
    await asyncio.wait([asker])
    second = asyncio.create_task(flight.run("a", work))
    await asyncio.sleep(0)
    work.go.set()
    assert await second == "result 1"


async def test_a_failure_is_everybodys() -> None:
    flight: SingleFlight[str, str] = SingleFlight()
    work = Work(NotFoundError("gone"))
    askers = [asyncio.create_task(flight.run("a", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.go.set()
    assert [type(error) for error in await asyncio.gather(*askers, return_exceptions=True)] == [NotFoundError] * 3


@pytest.mark.parametrize(("error", "lines"), [(NotFoundError("gone"), 0), (KeyError("bug"), 1)])
async def test_only_our_own_faults_are_logged_as_such(
    caplog: pytest.LogCaptureFixture, error: Exception, lines: int
) -> None:
    flight: SingleFlight[str, str] = SingleFlight()
    work = Work(error)
    work.go.set()
    with caplog.at_level(logging.WARNING):
        await asyncio.wait([flight.start("a", work)])
        await asyncio.sleep(0)
    assert len(caplog.records) == lines


async def test_close_ends_all_and_lets_nothing_new_begin() -> None:
    flight: SingleFlight[str, str] = SingleFlight()
    work = Work()
    asker = asyncio.create_task(flight.run("a", work))
    await work.runs.wait()
    await flight.close()
    with pytest.raises(UnavailableError, match="shutting down"):
        await asker
    with pytest.raises(UnavailableError, match="shutting down"):
        await flight.run("b", work)
    assert work.started == 1
    await flight.close()


async def test_of_what_nobody_waits_for_only_so_many_go_on() -> None:
    flight: SingleFlight[int, None] = SingleFlight(max_abandoned=2)
    tasks = []
    for key in range(5):
        with flight.attended(key, forever) as task:
            tasks.append(task)
    await asyncio.wait(tasks[2:], timeout=10)
    assert [task.done() for task in tasks] == [False, False, True, True, True]
    with flight.attended(0, forever) as again, flight.attended(4, forever) as anew:
        assert (again is tasks[0], anew is tasks[4]) == (True, False)
    await asyncio.wait([tasks[0]], timeout=10)
    assert [task.done() for task in (tasks[0], tasks[1], anew)] == [True, False, False]
    await flight.close()
    assert all(task.done() for task in [*tasks, anew])
    assert not flight.is_busy


async def test_one_of_two_who_wait_leaves() -> None:
    flight: SingleFlight[int, None] = SingleFlight(max_abandoned=0)
    with flight.attended(1, forever) as task:
        with flight.attended(1, forever) as same:
            assert same is task
        await asyncio.sleep(0)
        assert not task.done()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    await flight.close()


async def forever() -> None:
    await asyncio.Event().wait()
