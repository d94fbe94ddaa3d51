"""GET and HEAD of tarballs, whole or by range (RFC 9110, 14)."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from libreseed.delivery.blobs.spooled_stream import read_file
from libreseed.delivery.sources import SourceCounter
from libreseed.delivery.tarballs.delivery import TarballDelivery
from libreseed.delivery.tarballs.download import FoundTarball
from libreseed.errors import InvalidInputError, LibreseedError
from libreseed.packages.integrity import parse_integrity
from libreseed.registry.http.answers import SOURCE_HEADER

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/octet-stream"
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_THIS_CLIENT = "no-store"
"""A cache on the way would give to everybody what one client demands under this URL."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class _Range:
    start: int
    end: int


class TarballEndpoint:
    """The tarballs of all packages."""

    def __init__(self, tarballs: TarballDelivery, counter: SourceCounter) -> None:
        self._tarballs = tarballs
        self._counter = counter

    async def tarball(self, request: Request, name: str, file: str) -> Response:
        """GET /PACKAGE/-/FILE. npm sends the integrity of its lock file in the header `pacote-integrity`."""
        wanted_range = request.headers.get("range") if request.method == "GET" else None
        found = await self._tarballs.find(
            name, file, _integrity(request), whole=wanted_range is not None or request.method == "HEAD"
        )
        self._counter.add(found.source)
        headers = {
            SOURCE_HEADER: found.source,
            "Accept-Ranges": "bytes",
            "Cache-Control": _FOR_EVER if found.is_named else _FOR_THIS_CLIENT,
        }
        if found.digest is not None:
            headers["ETag"] = f'"{found.digest.hex()}"'
        if "ETag" in headers and headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if wanted_range is not None and found.length is not None:
            return _ranged(
                found,
                length=found.length,
                wanted=wanted_range,
                if_range=request.headers.get("if-range"),
                headers=headers,
            )
        return _whole(found, request.method, headers)


class _BodyResponse(Response):
    """Sends the body as it is fetched. When fetching fails, the connection is cut, so that the client notices a body
    that is shorter than its Content-Length and does not take it for complete."""

    def __init__(self, body: AsyncIterator[bytes], status: int, headers: dict[str, str]) -> None:
        super().__init__(None, status, headers, _MEDIA_TYPE)
        self._chunks = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except LibreseedError as error:
            log.warning("%s was cut short: %s", scope["path"], error)
            return
        await send({"type": "http.response.body", "body": b""})


def _whole(found: FoundTarball, method: str, headers: dict[str, str]) -> Response:
    if found.length is not None:
        headers["Content-Length"] = str(found.length)
    if method == "HEAD":
        return Response(status_code=200, headers=headers, media_type=_MEDIA_TYPE)
    if found.data is not None:
        return Response(found.data, 200, headers, _MEDIA_TYPE)
    return _BodyResponse(found.read(), 200, headers)


def _ranged(found: FoundTarball, length: int, wanted: str, if_range: str | None, headers: dict[str, str]) -> Response:
    part = _parse_range(wanted, length) if if_range in (None, headers.get("ETag")) else None
    if part is None or found.file is None:
        return _whole(found, "GET", headers)
    if part.start >= part.end:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{length}"})
    headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{length}"
    headers["Content-Length"] = str(part.end - part.start)
    return _BodyResponse(read_file(found.file, part.start, part.end), 206, headers)


def _parse_range(text: str, length: int) -> _Range | None:
    """Return the range of a Range header; None for several ranges or another unit, which are ignored (RFC 9110,
    14.2)."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return _Range(max(length - int(last), 0), length)
    return _Range(int(first), min(int(last) + 1, length) if last else length)


def _integrity(request: Request) -> bytes | None:
    try:
        return parse_integrity(request.headers.get("pacote-integrity", ""))
    except InvalidInputError:
        return None
