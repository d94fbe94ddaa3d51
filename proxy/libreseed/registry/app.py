"""The registry as an ASGI application, made of the routes of all endpoints."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from libreseed.errors import LibreseedError, NotFoundError
from libreseed.registry.http.answers import on_crash, on_error, on_refusal
from libreseed.registry.http.disconnects import CancelOnDisconnect
from libreseed.registry.http.guard import Guard

_RESERVED = "/-/"
"""The beginning of the paths that are not a package's, as on npm's registry."""


class Endpoints(Protocol):
    """A part of the registry that serves some paths."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The routes, in the order in which they are matched."""


def make_app(endpoints: Iterable[Endpoints], *, hosts: Collection[str], node_id: str) -> Starlette:
    """Return the application. `hosts` are the values of the Host header that it accepts beside localhost and IP
    addresses; `node_id` is the id by which it notices requests that it has sent itself (see `upstream.via`)."""
    return Starlette(
        routes=_in_order([route for each in endpoints for route in each.routes]),
        middleware=[Middleware(Guard, hosts=hosts, node_id=node_id), Middleware(CancelOnDisconnect)],
        exception_handlers={LibreseedError: on_error, HTTPException: on_refusal, Exception: on_crash},
    )


def _in_order(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """Put the reads of packages first, because nearly all requests are such, then reserved paths, and writes of
    packages last, because `/{package:path}` matches any path."""
    reads = [route for route in routes if not isinstance(route, Route)]
    named = [route for route in routes if isinstance(route, Route)]
    reserved = [route for route in named if route.path == "/" or route.path.startswith(_RESERVED)]
    unknown = Route(f"{_RESERVED}{{other:path}}", _unknown, methods=["GET", "POST", "PUT", "DELETE"])
    return [*reads, *reserved, unknown, *(route for route in named if route not in reserved)]


async def _unknown(request: Request) -> Response:
    raise NotFoundError(f"This registry has no {request.url.path}.")
