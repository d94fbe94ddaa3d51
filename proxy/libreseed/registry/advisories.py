"""POST of npm's audits."""

from starlette.requests import Request
from starlette.responses import Response

from libreseed.delivery.advisories import Advisories
from libreseed.registry.answers import SOURCE_HEADER
from libreseed.registry.bodies import read_json

_BODY_LIMIT = 16 << 20


class AdvisoryEndpoints:
    """`npm audit` and the audit that is part of every install."""

    def __init__(self, advisories: Advisories) -> None:
        self._advisories = advisories

    async def bulk(self, request: Request) -> Response:
        """POST /-/npm/v1/security/advisories/bulk."""
        return _answer(await self._advisories.bulk(await read_json(request, _BODY_LIMIT)))

    async def audit(self, request: Request) -> Response:
        """POST /-/npm/v1/security/audits and …/audits/quick, of older clients."""
        body = await read_json(request, _BODY_LIMIT)
        return _answer(await self._advisories.audit(request.url.path.lstrip("/"), body))


def _answer(body: bytes) -> Response:
    return Response(body, 200, {SOURCE_HEADER: "upstream"}, "application/json")
