"""The node's state: `/-/ping` and `/-/libreseed/status`."""

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.registry.http.answers import json_answer


class StatusEndpoints:
    """Ping and status. `status` returns the latter as JSON."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/ping", self.ping),
            *(Route(path, self.status) for path in ("/", "/-/libreseed/status")),
        ]

    async def ping(self, _: Request) -> Response:
        """GET /-/ping: an empty object, as `npm ping` expects."""
        return json_answer({})

    async def status(self, _: Request) -> Response:
        """GET /-/libreseed/status, and / too: see `node.status`."""
        return json_answer(self._status())
