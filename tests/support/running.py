"""Nodes in the test's own process, a scripted upstream, and a client. Import the fixtures into a conftest.py."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
import pytest
from yarl import URL

from libreseed.config import Settings
from libreseed.node.node import Node
from support.packages import make_tarball, manifest_of, publish_body
from upstream.fake_registry import FakeRegistry, Reply


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def source(self) -> str | None:
        return self.headers.get("X-Libreseed-Source")

    def json(self) -> Any:
        return orjson.loads(self.body)


class Local:
    """A running node and a client of it. Paths are sent as they are spelt."""

    def __init__(self, node: Node, client: aiohttp.ClientSession) -> None:
        self.node = node
        self.url = node.url
        self.host = node.url.removeprefix("http://")
        self.token = ""
        self._client = client

    @property
    def overlay(self) -> str:
        host, port = self.node.networks.overlay.address
        return f"{host}:{port}"

    def open(self, method: str, path: str, *, body: Any = None, **headers: str) -> Any:
        """Begin a request; the answer's body is still to be read."""
        sent = {"Accept-Encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        if data is not None and len(data) > 1 << 20:  # aiohttp wants large ones as a stream
            data = io.BytesIO(data)
        url = URL(self.url.replace("localhost", "127.0.0.1") + path, encoded=True)
        sent.setdefault("Host", self.host)
        return self._client.request(method, url, data=data, headers=sent, allow_redirects=False)

    async def ask(self, method: str, path: str, *, body: Any = None, **headers: str) -> Answer:
        """Send a request. `_` in the names of headers is `-`."""
        async with self.open(method, path, body=body, **headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def log_in(self, user: str = "ann") -> None:
        body = {"name": user, "password": "correct horse"}
        answer = await self.ask("PUT", f"/-/user/org.couchdb.user:{user}", body=body)
        assert answer.status == 201, answer.body
        self.token = answer.json()["token"]

    async def publish(self, name: str, version: str, tarball: bytes | None = None, **changes: Any) -> Answer:
        body = publish_body(name, version, tarball) | changes
        return await self.ask("PUT", "/" + name.replace("/", "%2f"), body=body)

    async def stop(self) -> None:
        await self.node.stop()


class StartNode(Protocol):
    def __call__(self, name: str = ..., *peers: Local, **settings: Any) -> Awaitable[Local]: ...


@pytest.fixture
async def start_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartNode]:
    """Start nodes on loopback, without upstream by default, and wait until they know the `peers`. The same name is
    the same root. npm is out of reach, so that nobody's own configuration plays a part."""
    monkeypatch.setenv("PATH", "")
    nodes: list[Local] = []
    async with aiohttp.ClientSession(auto_decompress=False) as client:

        async def start(name: str = "node", *peers: Local, **settings: Any) -> Local:
            chosen = {"port": 0, "upstream": "none", "p2p_host": "127.0.0.1", "lan": False, **settings}
            bootstrap = tuple(peer.overlay for peer in peers)
            local = Local(await Node.start(Settings(root=tmp_path / name, bootstrap=bootstrap, **chosen)), client)
            nodes.append(local)
            await eventually(lambda: local.node.networks.overlay.peers >= len(peers))
            return local

        yield start
        for local in reversed(nodes):
            await local.stop()


@pytest.fixture
async def upstream() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as server:
        yield server


def offer(upstream: FakeRegistry, name: str, *versions: str, filler: bytes = b"", **manifest: Any) -> bytes:
    """Let the upstream have a package; return the tarball of its last version."""
    packument: dict[str, Any] = {"name": name, "dist-tags": {"latest": versions[-1]}, "versions": {}, "time": {}}
    tarball = b""
    for version in versions:
        tarball = make_tarball(name, version, filler)
        packument["versions"][version] = manifest_of(name, version, tarball, upstream.url) | manifest
        packument["time"][version] = "2024-01-01T00:00:00.000Z"
        upstream.on(f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz", Reply(body=tarball))
    upstream.on("/" + name.replace("/", "%2f"), Reply(body=orjson.dumps(packument), headers={"ETag": '"1"'}))
    return tarball


def asked(upstream: FakeRegistry, path: str) -> int:
    """Return how often a path was asked for."""
    return sum(request.target == path for request in upstream.requests)


async def eventually(condition: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait for what a node does in the background."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.005)
