"""A small HTTP/1.1 server that answers from a script, faults included, and remembers what it was asked."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Reply:
    """One answer. `length` is what Content-Length claims: the truth when None, no header at all when -1.

    The body follows the headers after `pause` seconds.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    pause: float = 0.0


@dataclass(frozen=True)
class Drop:
    """Close the connection instead of an answer."""


@dataclass(frozen=True)
class Hang:
    """Send `first`, then nothing more."""

    first: bytes = b""


@dataclass(frozen=True)
class Request:
    target: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


Action = Reply | Drop | Hang


class FakeRegistry:
    """`script[path]` holds the answers in order, of which the last one is repeated; other paths get 404.

    HEAD requests have a script of their own, at `HEAD path`. `fault` is the answer to everything while it is set.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.script: dict[str, list[Action]] = {}
        self.fault: Action | None = None
        self.requests: list[Request] = []
        self.connections = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.release = asyncio.Event()
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/"

    def on(self, path: str, *actions: Action) -> None:
        self.script[path] = list(actions)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.left.set()
            self._handlers.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target = first.split()[:2]
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(target, headers, method, body))
        self.asked.set()
        path = f"HEAD {target}" if method == "HEAD" else target
        actions = self.script.get(path, [Reply(404, b'{"error":"not found"}')])
        action = self.fault or (actions.pop(0) if len(actions) > 1 else actions[0])
        if isinstance(action, Drop):
            return False
        if isinstance(action, Hang):
            writer.write(action.first)
            waits = [asyncio.ensure_future(self.release.wait()), asyncio.ensure_future(reader.read(1))]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            return False
        length = len(action.body) if action.length is None else action.length
        sent = dict(action.headers) | ({"Content-Length": str(length)} if length >= 0 else {"Connection": "close"})
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"HTTP/1.1 {action.status} Scripted\r\n{head}\r\n".encode())
        if action.pause:
            await asyncio.sleep(action.pause)
        if method != "HEAD":
            writer.write(action.body)
        await writer.drain()
        return length == len(action.body)
