import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.concurrency.tasks import Tasks
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.node import bandwidth
from libreseed.node.bandwidth import Bandwidth, left
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from support.running import eventually

LIMIT = 100_000


@given(st.integers(0, 1 << 40), st.floats(0, 1e12))
def test_a_limit_is_never_lifted_nor_exceeded(limit: int, used: float) -> None:
    rest = left(limit, used)
    assert rest <= limit
    assert bool(rest) == bool(limit), "0 would be no limit"
    assert rest >= limit // 8


async def test_bittorrent_gets_what_the_overlay_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "PERIOD", 0.05)
    overlay, other = (Overlay(OverlaySettings(), MemoryStorage()) for _ in range(2))
    session = Session(SessionSettings("127.0.0.1", upload_limit=LIMIT, download_limit=LIMIT))
    async with AsyncExitStack() as stack:
        for part in (session, overlay, other):
            await part.start()
            stack.push_async_callback(part.stop)
        tasks = Tasks()
        stack.push_async_callback(tasks.stop)
        tasks.start(Bandwidth(overlay, session, upload=LIMIT, download=LIMIT).run())
        address = f"127.0.0.1:{other.address[1]}"

        async def talk() -> None:
            while True:
                await overlay.bootstrap([address])

        talking = asyncio.create_task(talk())
        await eventually(lambda: max(session.limits) < LIMIT)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        await eventually(lambda: session.limits == (LIMIT, LIMIT))


async def test_without_a_limit_there_is_nothing_to_do() -> None:
    overlay, session = Overlay(OverlaySettings(), MemoryStorage()), Session(SessionSettings())
    await Bandwidth(overlay, session, upload=0, download=0).run()
