import asyncio
from pathlib import Path

import pytest

from libreseed.delivery.flight import Flight, FoundTarball
from libreseed.delivery.flow import Flow
from libreseed.errors import UnavailableError


@pytest.fixture
def landed(tmp_path: Path) -> FoundTarball:
    (tmp_path / "whole").write_bytes(b"all of it")
    return FoundTarball("upstream", 9, tmp_path / "whole", None, b"digest")


async def read(found: FoundTarball) -> bytes:
    return b"".join([chunk async for chunk in found.read()])


async def test_a_short_flight(landed: FoundTarball) -> None:
    flight = Flight()
    waiting = [asyncio.create_task(wait()) for wait in (flight.found, flight.landed)]
    await asyncio.sleep(0)
    flight.land(landed)
    assert await asyncio.gather(*waiting) == [landed, landed]
    assert await read(landed) == b"all of it"


async def test_the_first_flow_is_read_and_the_winner_finishes_it(tmp_path: Path, landed: FoundTarball) -> None:
    flight = Flight()
    first, second = (Flow(tmp_path / name, 9) for name in ("first", "second"))
    flight.offer("swarm", first, b"digest")
    flight.offer("upstream", second, b"digest")
    found = await flight.found()
    assert (found.source, found.flow) == ("swarm", first)
    await first.write(b"all")
    reader = asyncio.create_task(read(found))
    await asyncio.sleep(0)
    flight.let_go(second)
    flight.let_go(first)
    flight.land(landed)
    assert await reader == b"all of it"
    assert await flight.landed() == landed


async def test_a_crash(tmp_path: Path) -> None:
    flight = Flight()
    flow = flight.offer("swarm", Flow(tmp_path / "spool", 9), None)
    found = await flight.found()
    flight.crash(UnavailableError("gone"))
    assert (await flight.found()) == found
    with pytest.raises(UnavailableError):
        await flight.landed()
    with pytest.raises(UnavailableError):
        await read(found)
    assert flow.spool.exists()


async def test_a_crash_that_nobody_waits_for_makes_no_noise() -> None:
    Flight().crash(UnavailableError("gone"))


async def test_one_who_leaves_takes_nobody_with_him(landed: FoundTarball) -> None:
    flight = Flight()
    leaver, stayer = (asyncio.create_task(flight.found()) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait([leaver])
    flight.land(landed)
    assert await stayer == landed
