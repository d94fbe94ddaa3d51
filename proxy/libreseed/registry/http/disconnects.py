"""Cancels requests whose client has disconnected."""

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_CLIENT_CLOSED_REQUEST = 499
"""The status in the access log, which is nginx's for this case; no client receives it."""


class CancelOnDisconnect:
    """ASGI middleware: cancels a GET or HEAD whose client has disconnected, since nobody receives the response.

    It begins to watch `after` seconds after the request began, since most are answered sooner than watching would pay.
    """

    def __init__(self, app: ASGIApp, after: float = 1.0) -> None:
        self._app = app
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        watchers: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as presence:
                timer = loop.call_later(
                    self._after, lambda: watchers.append(loop.create_task(_watch(receive, presence)))
                )
                try:
                    await self._app(scope, receive, send)
                finally:
                    timer.cancel()
                    for watcher in watchers:
                        watcher.cancel()
        except TimeoutError:
            if not presence.expired():
                raise
            await Response(status_code=_CLIENT_CLOSED_REQUEST)(scope, receive, send)


async def _watch(receive: Receive, presence: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.reschedule(asyncio.get_running_loop().time())
