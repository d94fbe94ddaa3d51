"""GET /-/v1/search. Source: npm's registry API, "search"."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.search import Search
from libreseed.errors import InvalidInputError
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.permissions import Permissions

_TEXT = 1000
_SIZE = 250
_FROM = 10_000


class SearchEndpoint:
    """`npm search`. Restricted packages are found by those who may read them."""

    def __init__(self, search: Search, permissions: Permissions) -> None:
        self._search = search
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/v1/search", self.search),
        ]

    async def search(self, request: Request) -> Response:
        """`text`: words, 1000 characters at most; `size`: 20, at most 250; `from`: 0, at most 10,000."""
        text = request.query_params.get("text", "")
        if len(text) > _TEXT:
            raise InvalidInputError(f"A search text has at most {_TEXT} characters.")
        size, start = _number(request, "size", 20, _SIZE), _number(request, "from", 0, _FROM)
        member = self._permissions.known(request) is not None
        page = await self._search.find(text, size, start, member=member, may_read=self._permissions.reader(request))
        time = format_datetime(datetime.now(UTC), usegmt=True)
        return json_answer({"objects": page.objects, "total": page.total, "time": time}, source=page.source)


def _number(request: Request, name: str, default: int, limit: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidInputError(f"{name!r} is a number from 0 to {limit}.")
    return min(int(text), limit)
