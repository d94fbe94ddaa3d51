import asyncio

import pytest

from libreseed.delivery.blobs.probation import Probation
from libreseed.errors import UnavailableError
from libreseed.swarm.reputation import Reputation
from libreseed.trust.records import Endpoint

HOLDER: Endpoint = ("192.0.2.1", 6881)


class Fetches:
    """What is fetched from the holder, until it is told to end."""

    def __init__(self, reputation: Reputation) -> None:
        self.probation = Probation(reputation)
        self.under_way = 0
        self.end = asyncio.Event()

    async def fetch(self) -> None:
        async with self.probation.turn(HOLDER):
            self.under_way += 1
            await self.end.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def reputation() -> Reputation:
    return Reputation()


async def test_who_has_delivered_nothing_gets_one_turn_at_a_time(reputation: Reputation) -> None:
    fetches = Fetches(reputation)
    tasks = [asyncio.create_task(fetches.fetch()) for _ in range(3)]
    await settle()
    assert fetches.under_way == 1
    tasks[0].cancel()
    await settle()
    assert fetches.under_way == 2
    fetches.end.set()
    await asyncio.gather(*tasks[1:])
    assert fetches.under_way == 3


async def test_who_has_delivered_gets_as_many_as_there_are(reputation: Reputation) -> None:
    reputation.note_delivered(HOLDER, 1)
    fetches = Fetches(reputation)
    tasks = [asyncio.create_task(fetches.fetch()) for _ in range(3)]
    await settle()
    assert fetches.under_way == 3
    fetches.end.set()
    await asyncio.gather(*tasks)


async def test_who_has_lied_gets_none(reputation: Reputation) -> None:
    fetches = Fetches(reputation)
    first, second = (asyncio.create_task(fetches.fetch()) for _ in range(2))
    await settle()
    reputation.note_lie(HOLDER)
    fetches.end.set()
    await first
    with pytest.raises(UnavailableError, match=r"192\.0\.2\.1:6881 has sent wrong bytes"):
        await second
