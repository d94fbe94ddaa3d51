import asyncio
from typing import Any

import pytest

from libreseed.registry.http.disconnects import CancelOnDisconnect
from support.running import Local, StartNode, eventually
from upstream.fake_registry import FakeRegistry, Hang


class Client:
    """The server's side of a connection. The client stays until `left` is set."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.sent: list[Any] = []
        self._begun = False

    async def receive(self) -> dict[str, Any]:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


async def forever(*_: Any) -> None:
    await asyncio.Event().wait()


async def test_nobody_is_served_for_nobody() -> None:
    client = Client()
    serving = asyncio.create_task(
        CancelOnDisconnect(forever, after=0.0)({"type": "http", "method": "GET"}, client.receive, client.send)
    )
    client.left.set()
    await asyncio.wait_for(serving, 10)
    assert client.sent[0]["status"] == 499


async def test_who_writes_is_served_to_the_end() -> None:
    client = Client()
    client.left.set()
    serving = asyncio.create_task(
        CancelOnDisconnect(forever, after=0.0)({"type": "http", "method": "PUT"}, client.receive, client.send)
    )
    done, _ = await asyncio.wait([serving], timeout=0.05)
    assert not done
    serving.cancel()


async def test_the_applications_own_timeouts_stay() -> None:
    async def late(*_: Any) -> None:
        raise TimeoutError

    client = Client()
    with pytest.raises(TimeoutError):
        await CancelOnDisconnect(late)({"type": "http", "method": "GET"}, client.receive, client.send)


async def test_abandoned_fetches_do_not_pile_up(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.fault = Hang()
    node = await start_node(upstream=upstream.url)
    refreshing = node.node.delivery.metadata.packuments.refreshing
    refreshing.max_abandoned = 2
    asking = [asyncio.create_task(node.get(f"/pkg-{number}")) for number in range(8)]
    await eventually(lambda: len(refreshing) == 8)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await eventually(lambda: len(refreshing) == 2, 60.0)


async def test_the_fetch_of_one_who_left_goes_on(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.fault = Hang()
    node: Local = await start_node(upstream=upstream.url)
    asking = asyncio.create_task(node.get("/pkg"))
    await asyncio.wait_for(upstream.asked.wait(), 10)
    refreshing = node.node.delivery.metadata.packuments.refreshing
    asking.cancel()
    await eventually(lambda: refreshing.abandoned, 60.0)
    assert len(refreshing) == 1
