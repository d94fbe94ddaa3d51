"""Clients that leave before they have their answer."""

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_LEFT = 499
"""The status in the log, as nginx has it; nobody gets to see it."""


class CancelOnDisconnect:
    """ASGI middleware: ends the serving of a read request whose client has left, so that no work is done for nobody.

    What takes less than `after` seconds is not watched: that costs more than it saves.
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
            await Response(status_code=_LEFT)(scope, receive, send)


async def _watch(receive: Receive, presence: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.reschedule(asyncio.get_running_loop().time())
