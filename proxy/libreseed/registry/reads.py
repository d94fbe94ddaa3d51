"""The route of what installs consist of, GET and HEAD of packages. It stands before all others, and is quick."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send


class PackageReads(BaseRoute):
    """Leads every read to `endpoint`, but of `/` and of what is below `/-/`."""

    def __init__(self, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        self._endpoint = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is one of them."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        path = scope["path"]
        return (Match.NONE if path == "/" or path.startswith("/-/") else Match.FULL), {}

    def url_path_for(self, name: str, /, **_: object) -> object:  # type: ignore[override]
        """Raise NoMatchFound: it has no name."""
        raise NoMatchFound(name, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = await self._endpoint(Request(scope, receive))
        await answer(scope, receive, send)
