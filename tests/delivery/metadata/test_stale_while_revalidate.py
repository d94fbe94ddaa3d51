import asyncio
import time

from libreseed.delivery.metadata.stale_while_revalidate import StaleWhileRevalidate

LONG = 60.0
ENOUGH = 0.3
"""For what takes a hundredth of a second; to wait for in vain."""


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def fail() -> None:
    raise ValueError


async def test_a_quick_answer_is_waited_for() -> None:
    assert await StaleWhileRevalidate(LONG).wait(asyncio.create_task(at_once()), "upstream")


async def test_a_silent_source_lets_one_client_wait_and_no_other() -> None:
    tasks = [asyncio.create_task(never()) for _ in range(100)]
    stale = StaleWhileRevalidate(0.2)
    started = time.monotonic()
    assert not any([await stale.wait(task, "upstream") for task in tasks])
    assert time.monotonic() - started < len(tasks) * 0.2 / 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_another_source_does_is_not_its_fault() -> None:
    stale = StaleWhileRevalidate(ENOUGH)
    silent = asyncio.create_task(never())
    assert not await stale.wait(silent, "one")
    assert await stale.wait(asyncio.create_task(asyncio.sleep(0.01)), "two")
    silent.cancel()


async def test_who_is_quick_again_is_waited_for_again() -> None:
    stale = StaleWhileRevalidate(ENOUGH)
    silent = asyncio.create_task(never())
    assert not await stale.wait(silent, "upstream")
    for work, waits in ((fail, False), (at_once, True)):
        quick = asyncio.create_task(work())
        await stale.wait(quick, "upstream")
        await asyncio.gather(quick, return_exceptions=True)
        slower = asyncio.create_task(asyncio.sleep(0.01))
        assert await stale.wait(slower, "upstream") is waits
        await slower
    silent.cancel()
