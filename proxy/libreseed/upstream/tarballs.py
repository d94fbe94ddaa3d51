"""Fetches tarballs of a registry, as streams."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing

from yarl import URL

from libreseed.errors import UnavailableError
from libreseed.upstream.access import AccessCheck
from libreseed.upstream.connection import Connection
from libreseed.upstream.faults import shown
from libreseed.upstream.transport import Answer


class TarballStream:
    """One tarball while it is fetched. Iterate it once for its bytes.

    `length`: in bytes, or None when the upstream does not say.
    """

    def __init__(self, answer: Answer, check: AccessCheck, limit: int) -> None:
        self.length = answer.length
        self._answer = answer
        self._check = check
        self._limit = limit

    async def restricted(self) -> bool:
        """Tell whether the tarball needed credentials, so that it may be neither seeded nor announced.

        Call it after the bytes have been read: what it waits for, at most `Limits.access` seconds, runs beside them.
        """
        return await self._check.restricted(self._answer)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks of at most 256 KiB as they arrive.

        Raises UnavailableError: the bytes stop coming, end before `length` or exceed the limit.
        """
        left = self._limit
        while chunk := await self._answer.read():
            left -= len(chunk)
            if left < 0:
                raise UnavailableError(f"The upstream's tarball is larger than {self._limit} bytes.")
            yield chunk


@asynccontextmanager
async def open_tarball(
    connection: Connection, name: str, url: URL, registry: URL
) -> AsyncGenerator[TarballStream, None]:
    """Open the tarball at `url`, asked for on behalf of `registry`. Raises as `Upstream.tarball` does."""
    limits = connection.limits
    headers = {"Accept": "application/octet-stream, */*", "Accept-Encoding": "identity"}
    async with connection.access.tarball(name, url, registry) as check:
        try:
            async with asyncio.timeout(limits.answer):
                answer = await connection.with_retries(
                    lambda: connection.transport.get(url, registry, headers, decompress=False)
                )
        except TimeoutError as error:
            raise UnavailableError(
                f"The upstream did not begin to deliver {shown(url)} within {limits.answer:g} s."
            ) from error
        with closing(answer):
            yield TarballStream(answer, check, limits.tarball_bytes)
