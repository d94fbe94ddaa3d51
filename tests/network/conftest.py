"""Real nodes on loopback, and a raw peer that speaks the protocol but keeps no rule of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import pytest

from libreseed.network.addresses import Address
from libreseed.network.overlay.messages import Header, Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.overlay import Overlay, OverlaySettings
from libreseed.network.overlay.recordbook import target_of
from libreseed.network.overlay.routing import Table
from libreseed.network.overlay.service import Bundles
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.network.udp.round_trips import RoundTrips
from libreseed.network.udp.wire import Fields, Wire
from libreseed.packages.names import key_text
from network.helpers import text


class Spawn(Protocol):
    def __call__(
        self, *join: Overlay, storage: MemoryStorage | None = None, bundles: Bundles | None = ..., **settings: Any
    ) -> Awaitable[Overlay]: ...


@pytest.fixture
async def spawn() -> AsyncIterator[Spawn]:
    """Start nodes; each joins by the nodes given. All are stopped at the end, and must leave no task behind."""
    nodes: list[Overlay] = []

    async def start(
        *join: Overlay, storage: MemoryStorage | None = None, bundles: Bundles | None = None, **settings: Any
    ) -> Overlay:
        node = Overlay(
            OverlaySettings(**{"p2p_port": 4000 + len(nodes), **settings}), storage or MemoryStorage(), bundles=bundles
        )
        await node.start()
        nodes.append(node)
        if join:
            await node.bootstrap([text(other.address) for other in join])
        return node

    yield start
    for node in nodes:
        await node.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@dataclass
class RawPeer:
    """A peer whose answers a test decides: `handlers` by method; by default it is a polite, empty node."""

    wire: Wire
    node_id: bytes
    handlers: dict[str, Callable[[Address, Fields], Fields]]
    requests: list[tuple[str, Fields]] = field(default_factory=list)

    @property
    def address(self) -> Address:
        ip, port = self.wire.transport.get_extra_info("sockname")[:2]
        return ip, port

    async def ask(self, node: Overlay, method: str, *arguments: object) -> Fields | None:
        return await self.wire.call(node.address, method, [self.node_id, 5000, *arguments])

    async def records(self, node: Overlay, name: str) -> list[bytes]:
        """Return the records that a node holds under a package name."""
        fields = await self.ask(node, "find", target_of(key_text(name)), int(Want.RECORDS))
        assert fields
        found: list[bytes] = fields[5]
        return found

    async def token(self, node: Overlay) -> bytes:
        fields = await self.ask(node, "find", bytes(20), 0)
        assert fields
        token: bytes = fields[2]
        return token


RawPeers: TypeAlias = Callable[..., Awaitable[RawPeer]]


class Surround(Protocol):
    def __call__(self, *peers: "RawPeer | Overlay") -> Awaitable[Neighbours]: ...


@pytest.fixture
def surround(raw_peer: RawPeers) -> Surround:
    """Give the neighbours of a node that knows these peers, and nothing else of a node."""

    async def start(*peers: RawPeer | Overlay) -> Neighbours:
        own = await raw_peer()
        header, table = Header(own.node_id, 5000), Table(own.node_id, 20)
        neighbours = Neighbours(own.wire, header, table, lambda _: None, lambda: None)
        for peer in peers:
            assert await neighbours.probe(peer.address)
        return neighbours

    return start


@pytest.fixture
async def raw_peer() -> AsyncIterator[RawPeers]:
    peers: list[RawPeer] = []

    async def start(ip: str = "127.0.0.1", node_id: bytes | None = None, p2p_port: int = 5000) -> RawPeer:
        node_id = os.urandom(20) if node_id is None else node_id
        requests: list[tuple[str, Fields]] = []

        def polite(method: str, *rest: object) -> Callable[[Address, Fields], Fields]:
            def answer(sender: Address, fields: Fields) -> Fields:
                requests.append((method, fields))
                return [node_id, p2p_port, *rest]

            return answer

        handlers = {
            "ping": polite("ping"),
            "find": polite("find", b"tokenfor", b"", b"", []),
            "store": polite("store", 1),
            "announce": polite("announce", 0),
            "have": polite("have", b""),
        }
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_datagram_endpoint(lambda: Wire(handlers, RoundTrips()), local_addr=(ip, 0))
        peers.append(RawPeer(wire, node_id, handlers, requests))
        return peers[-1]

    yield start
    for peer in peers:
        peer.wire.close()
