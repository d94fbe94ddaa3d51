import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from pathlib import Path

import aiohttp
import pytest

from libreseed.config import Settings
from libreseed.errors import UnavailableError
from libreseed.node import upstream as upstream_module
from libreseed.node.node import Node
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.npmrc import ListenAddress
from libreseed.upstream.settings import UpstreamSettings
from libreseed.upstream.via import MAX_HOPS, VIA_HEADER, accept_via, came_through, via
from upstream.fake_registry import FakeRegistry, Reply

BODY = b'{"name":"tool","versions":{}}'
QUICKLY = 4.0
"""Seconds; a circle that nobody notices ends at a deadline of a minute."""

Ring = Callable[[int], Awaitable[list[Node]]]


def received(*values: str) -> tuple[tuple[str, ...], str]:
    def serve() -> tuple[tuple[str, ...], str]:
        accept_via(values, "me")
        return came_through(), via("me")

    return copy_context().run(serve)


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ((), ()),
        (("",), ()),
        (("a",), ("a",)),
        (("a,b",), ("a", "b")),
        ((" a , b ",), ("a", "b")),
        (("a", "b,c"), ("a", "b", "c")),
        ((",".join(["a"] * MAX_HOPS),), ("a",) * MAX_HOPS),
        (("x" * 64,), ("x" * 64,)),
    ],
)
def test_ids_are_passed_on(values: tuple[str, ...], ids: tuple[str, ...]) -> None:
    assert received(*values) == (ids, ",".join((*ids, "me")))


@pytest.mark.parametrize(
    "value", ["me", "a, me", "me,b", ",".join(["a"] * (MAX_HOPS + 1)), "x" * 65, "a b", "é", "a\x00"]
)
def test_refused_ids(value: str) -> None:
    with pytest.raises(UnavailableError):
        received("a", value)


def test_a_request_of_our_own_came_through_nobody() -> None:
    assert came_through() == ()


async def ask(upstream: Upstream, *ids: str) -> None:
    accept_via(ids, "node-1")
    await upstream.packument("tool")


async def test_the_upstream_learns_the_way(registry: FakeRegistry) -> None:
    registry.on("/tool", Reply(body=BODY))
    async with Upstream(UpstreamSettings(registry.url), node_id="node-1") as upstream:
        await asyncio.gather(*(asyncio.create_task(ask(upstream, *ids)) for ids in ((), ("a",), ("a", "b"))))
    sent = sorted(request.headers["x-libreseed-via"] for request in registry.requests)
    assert sent == ["a,b,node-1", "a,node-1", "node-1"]


@pytest.mark.parametrize(("ids", "attempts"), [((), 3), (("a",), 1)])
async def test_only_the_first_node_tries_again(registry: FakeRegistry, ids: tuple[str, ...], attempts: int) -> None:
    registry.on("/tool", Reply(503))
    async with Upstream(UpstreamSettings(registry.url), node_id="node-1", limits=Limits(backoff=0.0)) as upstream:
        with pytest.raises(UnavailableError):
            await asyncio.create_task(ask(upstream, *ids))
    assert len(registry.requests) == attempts


@pytest.fixture
async def start_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ring]:
    """Starts nodes each of which has the next one as its upstream, and the last one the first."""
    nodes: list[Node] = []

    following: dict[int, str] = {}
    """The URL of the next node by a node's own port; a node reads where its upstream is when it first needs it."""

    async def settings(_: str, own: ListenAddress) -> UpstreamSettings:
        return UpstreamSettings(following[own.port])

    # Without npm, whose configuration is another one on each machine.
    monkeypatch.setattr(upstream_module, "read_settings", settings)

    async def start(count: int) -> list[Node]:
        for number in range(count):
            root = tmp_path / str(number)
            nodes.append(await Node.start(Settings(root, port=0, p2p_host="127.0.0.1", lan=False)))
        for node, next_one in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            following[int(node.url.rpartition(":")[2])] = next_one.url + "/"
        return nodes

    yield start
    for node in nodes:
        await node.stop()


async def statuses(*urls: str, ids: str = "") -> list[int]:
    async with aiohttp.ClientSession(headers={VIA_HEADER: ids} if ids else None) as session:

        async def status(url: str) -> int:
            async with session.get(url) as response:
                return response.status

        return await asyncio.gather(*map(status, urls))


@pytest.mark.parametrize("path", ["/unknown", "/unknown/-/unknown-1.0.0.tgz"])
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_a_ring_is_noticed(start_ring: Ring, count: int, path: str) -> None:
    nodes = await start_ring(count)
    start = time.monotonic()
    assert await statuses(nodes[0].url + path) == [503]
    assert time.monotonic() - start < QUICKLY
    requests = [node.status()["upstream"]["requests"] for node in nodes]
    assert requests == [1] * count


@pytest.mark.parametrize("path", ["/unknown", "/unknown/-/unknown-1.0.0.tgz"])
@pytest.mark.parametrize("count", [2, 3])
async def test_a_ring_is_noticed_by_all_at_once(start_ring: Ring, count: int, path: str) -> None:
    """None may wait for another's fetch that waits for its own."""
    nodes = await start_ring(count)
    start = time.monotonic()
    assert await statuses(*(node.url + path for node in nodes * 4)) == [503] * count * 4
    assert time.monotonic() - start < QUICKLY


async def test_a_way_that_is_too_long_ends(start_ring: Ring) -> None:
    (node,) = await start_ring(1)
    assert await statuses(node.url + "/-/ping", ids=",".join(["a"] * MAX_HOPS)) == [200]
    assert await statuses(node.url + "/-/ping", ids=",".join(["a"] * (MAX_HOPS + 1))) == [503]
    assert await statuses(node.url + "/-/ping", ids="x" * 10_000) == [503]
