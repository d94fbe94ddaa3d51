"""JSON documents other than packuments, which not every registry has: signing keys, attestations, search, audits."""

import asyncio
import gzip
from contextlib import closing

from yarl import URL

from libreseed.errors import UnavailableError
from libreseed.upstream.bodies import read_object
from libreseed.upstream.connection import Connection
from libreseed.upstream.faults import shown

_NOT_OFFERED = frozenset({400, 405, 501})


async def fetch_document(
    connection: Connection, registry: URL, path: str, *, limit: int, timeout: float, body: bytes | None, anonymous: bool
) -> bytes:
    """Fetch the JSON object at `path`. Arguments and errors as of `Upstream.document`."""
    transport = connection.transport
    url = URL(f"{registry}{path}", encoded=True)
    asker = None if anonymous else registry
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    packed = None if body is None else await asyncio.to_thread(gzip.compress, body, 6)
    if packed is not None:
        headers |= {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    async def attempt() -> bytes:
        if packed is None:
            opening = transport.get(url, asker, headers, decompress=True, absent=_NOT_OFFERED)
        else:
            opening = transport.post(url, asker, headers, packed, absent=_NOT_OFFERED)
        with closing(await opening) as answer:
            return await read_object(answer, limit, shown(url))

    try:
        async with asyncio.timeout(timeout):
            return await (connection.with_retries(attempt) if packed is None else attempt())
    except TimeoutError as error:
        raise UnavailableError(f"The upstream did not deliver {shown(url)} within {timeout:g} s.") from error
