"""The HTTP server: uvicorn on a socket that is bound beforehand, so that the port is known before requests are
served."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from libreseed.errors import ConfigError

_BACKLOG = 1024
_GRACE = 2
"""Seconds that requests have to end when the server stops."""
_KEEP_ALIVE = 75


class HttpServer:
    """Listens as soon as it is made; connections wait until `serve`, and are closed by `stop`."""

    def __init__(self, host: str, port: int) -> None:
        """Bind `host` and `port` (0: any free one). Raises ConfigError when they cannot be bound."""
        self._socket = _listen(host, port)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The TCP port."""
        port: int = self._socket.getsockname()[1]
        return port

    async def serve(self, app: ASGIApp) -> None:
        """Serve requests by `app`; returns when the server is ready. Raises ConfigError when it ends at once."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_GRACE,
            timeout_keep_alive=_KEEP_ALIVE,
            backlog=_BACKLOG,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([self._socket]))
        ready = asyncio.ensure_future(self._server.ready.wait())
        await asyncio.wait([ready, self._serving], return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            ready.cancel()
            self._serving.result()
            raise ConfigError("The HTTP server ended at once.")

    async def stop(self) -> None:
        """Wait at most 2 s for running requests, then close. Stopping twice is harmless."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, since the caller decides when the node stops."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # TCP_NODELAY is inherited by accepted connections. asyncio sets it only where the socket was made with an
        # explicit protocol; without it a small body waits 40 ms for the client's delayed ACK of the headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Choose another with --port; 0 takes any.",
        ) from error
