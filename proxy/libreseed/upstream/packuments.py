"""Fetches packuments of a registry."""

import asyncio
from contextlib import closing
from dataclasses import dataclass

from yarl import URL

from libreseed.errors import UnavailableError
from libreseed.upstream.bodies import read_object
from libreseed.upstream.connection import Connection


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of a document (RFC 9110, 8.8): its ETag and Last-Modified, "" where the upstream sent none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Packument:
    """A full packument. `body`: its JSON as the upstream sent it.

    `restricted`: it needed credentials, so neither it nor its tarballs may be seeded or announced.
    """

    body: bytes
    validators: Validators
    restricted: bool


@dataclass(frozen=True, slots=True)
class NotModified:
    """The answer 304: the packument is the one that the caller's validators belong to. `restricted` as in Packument."""

    restricted: bool


async def fetch_packument(
    connection: Connection, registry: URL, name: str, validators: Validators | None
) -> Packument | NotModified:
    """Fetch the full packument of `name`. Raises as `Upstream.packument` does."""
    url = URL(f"{registry}{name.replace('/', '%2f')}", encoded=True)
    limits = connection.limits
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
    if validators is not None and validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified

    async def attempt() -> Packument | NotModified:
        with closing(await connection.transport.get(url, registry, headers, decompress=True)) as answer:
            if answer.status == 304:
                return NotModified(await check.restricted(answer))
            body = await read_object(answer, limits.packument_bytes, f"packument of {name}")
            state = Validators(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
            return Packument(body, state, await check.restricted(answer))

    try:
        async with connection.access.packument(name, url, registry) as check, asyncio.timeout(limits.packument):
            return await connection.with_retries(attempt)
    except TimeoutError as error:
        raise UnavailableError(
            f"The upstream did not deliver the packument of {name} within {limits.packument:g} s."
        ) from error
