"""The POST requests of `npm audit`."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.advisories import AUDITS, BULK, QUICK, Advisories
from libreseed.registry.http.answers import SOURCE_HEADER
from libreseed.registry.http.bodies import read_json

_BODY_LIMIT = 16 << 20


class AdvisoryEndpoints:
    """`npm audit` and the audit that is part of every install."""

    def __init__(self, advisories: Advisories) -> None:
        self._advisories = advisories

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(f"/{BULK}", self.bulk, methods=["POST"]),
            Route(f"/{AUDITS}", self.audit, methods=["POST"]),
            Route(f"/{QUICK}", self.audit, methods=["POST"]),
        ]

    async def bulk(self, request: Request) -> Response:
        """POST /-/npm/v1/security/advisories/bulk."""
        body = await read_json(request, _BODY_LIMIT)
        return _answer(await self._advisories.bulk(body, in_passing=_in_passing(request)))

    async def audit(self, request: Request) -> Response:
        """POST /-/npm/v1/security/audits and …/audits/quick, of older clients."""
        body = await read_json(request, _BODY_LIMIT)
        path = request.url.path.lstrip("/")
        return _answer(await self._advisories.audit(path, body, in_passing=_in_passing(request)))


def _in_passing(request: Request) -> bool:
    """Tell whether the audit is part of another command, which npm names in a header. Other clients audit only on
    demand."""
    return request.headers.get("npm-command", "audit") != "audit"


def _answer(body: bytes) -> Response:
    return Response(body, 200, {SOURCE_HEADER: "upstream"}, "application/json")
