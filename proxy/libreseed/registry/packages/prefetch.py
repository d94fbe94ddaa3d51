"""POST /-/libreseed/prefetch: fetches all tarballs of a lock file, and reports each as soon as it is in the store.

The body is a JSON list of `[name, file, hex sha512]`. The answer is a JSON object a line (application/x-ndjson):
`{"store": folder}` first, to clients on this machine; then for each tarball, in the order in which they come,
`{"number": index, "source": …}`, or with `"error"` and the `"status"` that a GET would have had; `{}` at the end.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from libreseed.delivery.sources import SourceCounter
from libreseed.delivery.tarballs.delivery import TarballDelivery
from libreseed.errors import InvalidInputError, LibreseedError
from libreseed.packages.integrity import SHA512_LENGTH
from libreseed.registry.http.answers import SOURCE_HEADER, error_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.permissions import Permissions

MAX_TARBALLS = 20_000
SIDE_BY_SIDE = 192
"""Tarballs that are fetched at a time: enough of them to fill bundles of one neighbour (docs/protocol.md, section
11)."""

_BODY_LIMIT = 16 << 20
_Wanted = tuple[str, str, bytes]


class PrefetchEndpoint:
    """Fetches all tarballs of an install by one request."""

    def __init__(
        self, tarballs: TarballDelivery, counter: SourceCounter, store: Path, permissions: Permissions
    ) -> None:
        """`store` is the folder of the blobs."""
        self._permissions = permissions
        self._tarballs = tarballs
        self._counter = counter
        self._store = store

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/libreseed/prefetch", self.prefetch, methods=["POST"]),
        ]

    async def prefetch(self, request: Request) -> Response:
        """POST /-/libreseed/prefetch."""
        wanted = _read_wanted(await read_json(request, _BODY_LIMIT))
        here = request.client is not None and _is_loopback(request.client.host)
        headers = {SOURCE_HEADER: "store"}
        return StreamingResponse(self._answer(request, wanted, here=here), 200, headers, "application/x-ndjson")

    async def _answer(self, request: Request, wanted: list[_Wanted], *, here: bool) -> AsyncIterator[bytes]:
        if here:
            yield _line({"store": str(self._store)})
        todo = iter(enumerate(wanted))
        lines: list[bytes] = []
        news = asyncio.Event()

        async def work() -> None:
            for number, each in todo:
                lines.append(await self._get(request, number, each))
                news.set()

        workers = [asyncio.create_task(work()) for _ in range(SIDE_BY_SIDE)]
        try:
            for worker in workers:
                worker.add_done_callback(lambda _: news.set())
            while lines or not all(worker.done() for worker in workers):
                await news.wait()
                news.clear()
                known, lines[:] = b"".join(lines), ()
                yield known
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        yield _line({})

    async def _get(self, request: Request, number: int, wanted: _Wanted) -> bytes:
        try:
            self._permissions.check_reading(request, wanted[0])
            found = await self._tarballs.find(*wanted, whole=True)
        except LibreseedError as error:
            return _line({"number": number, "error": error.message, "status": error_answer(error).status_code})
        self._counter.add(found.source)
        return _line({"number": number, "source": found.source})


def _read_wanted(body: Any) -> list[_Wanted]:
    try:
        if not isinstance(body, list) or len(body) > MAX_TARBALLS:
            raise TypeError
        wanted = [(str(name), str(file), bytes.fromhex(digest)) for name, file, digest in body]
    except (TypeError, ValueError):
        wanted = [("", "", b"")]
    if any(len(digest) != SHA512_LENGTH for _, _, digest in wanted):
        raise InvalidInputError(f"That is not a list of at most {MAX_TARBALLS} tarballs: [name, file, hex sha512].")
    return wanted


def _line(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content) + b"\n"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
