"""The upstream registry, as the rest of LibreSeed uses it: packuments and tarballs."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from yarl import URL

from libreseed.errors import ConfigError, InvalidInputError, NotFoundError, UnavailableError
from libreseed.packages.names import check_name, scope_of
from libreseed.upstream.access import Access, Inquiry
from libreseed.upstream.bodies import read_object
from libreseed.upstream.faults import shown
from libreseed.upstream.flights import SingleFlight
from libreseed.upstream.limits import Limits
from libreseed.upstream.retries import with_retries
from libreseed.upstream.settings import UpstreamSettings
from libreseed.upstream.transport import Answer, Transport
from libreseed.upstream.via import came_through

T = TypeVar("T")
SettingsFactory = Callable[[], Awaitable[UpstreamSettings]]

_NOT_OFFERED = frozenset({400, 405, 501})


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a document from another (RFC 9110, 8.8); "" where the upstream gave none."""

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
    """The packument is still the one that the caller's validators stand for. `restricted`: as in Packument."""

    restricted: bool


class TarballStream:
    """The bytes of one tarball on their way. Iterate it once.

    `length`: in bytes, or None when the upstream does not say.
    """

    def __init__(self, answer: Answer, inquiry: Inquiry, limit: int) -> None:
        self.length = answer.length
        self._answer = answer
        self._inquiry = inquiry
        self._limit = limit

    async def restricted(self) -> bool:
        """Tell whether it needed credentials: then it may be neither seeded nor announced.

        Ask when the bytes are read: the answer comes beside them, at the latest `Limits.access` after the request.
        """
        return await self._inquiry.restricted(self._answer)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give chunks of at most 256 KiB, as they come.

        Raises UnavailableError: the bytes stop coming, end before `length` or exceed the limit.
        """
        left = self._limit
        while chunk := await self._answer.read():
            left -= len(chunk)
            if left < 0:
                raise UnavailableError(f"The upstream's tarball is larger than {self._limit} bytes.")
            yield chunk


class Upstream:
    """The npm registry behind us.

    `settings` may be a factory: then the upstream can be had at once, and the factory is awaited when the upstream
    is first used (see `ready`). `node_id` goes with every request, so that a circle of nodes is noticed.
    """

    def __init__(
        self, settings: UpstreamSettings | SettingsFactory, *, node_id: str, limits: Limits | None = None
    ) -> None:
        self._given = settings
        self._node_id = node_id
        self._limits = limits or Limits()
        self._settings: UpstreamSettings | None = None
        self._failure: tuple[float, ConfigError] | None = None
        self._transport: Transport | None = None
        self._access: Access | None = None
        self._closed = False
        self._openings: SingleFlight[None, UpstreamSettings] = SingleFlight()
        self._packuments: SingleFlight[tuple[object, ...], Packument | NotModified] = SingleFlight()

    @property
    def url(self) -> str | None:
        """The registry's URL, without user and password; None when there is none or it is not known yet."""
        settings = self._given if isinstance(self._given, UpstreamSettings) else self._settings
        return settings.registry if settings else None

    @property
    def requests(self) -> int:
        """The number of HTTP requests sent so far: every attempt, redirect, revalidation and HEAD is one."""
        return self._transport.requests if self._transport else 0

    async def ready(self) -> UpstreamSettings:
        """Return the settings, read now if they are not known yet.

        Raises ConfigError: the factory failed; it is asked again after `limits.npm_again`. UnavailableError: closed.
        """
        if self._closed:
            raise UnavailableError("The upstream is closed.")
        if self._settings is not None:
            return self._settings
        if self._failure is not None:
            when, failure = self._failure
            if asyncio.get_running_loop().time() < when + self._limits.npm_again:
                raise failure
        return await self._openings.run(None, self._open)

    async def is_private(self, name: str) -> bool:
        """Tell whether the scope of `name` has a registry of its own: then nobody else may learn or answer for it.

        True for every scoped name while npm's configuration cannot be read: any scope may be such a one.
        """
        scope = scope_of(name)
        if not scope:
            return False
        try:
            return scope in (await self.ready()).scopes
        except (ConfigError, UnavailableError):
            return True

    async def packument(self, name: str, validators: Validators | None = None) -> Packument | NotModified:
        """Return the full packument of `name`, or NotModified if it is still what `validators` stand for.

        Callers that ask for the same at the same time share one request; it is cancelled when all of them are gone.
        Raises NotFoundError (the upstream has no such package, or there is no upstream), UnauthorizedError,
        ForbiddenError, UnavailableError (everything else that can go wrong), InvalidInputError (no package name).
        """
        check_name(name)
        key = name, validators, came_through()
        return await self._packuments.run(key, lambda: self._fetch_packument(name, validators))

    @asynccontextmanager
    async def tarball(self, name: str, file: str) -> AsyncGenerator[TarballStream, None]:
        """Open the tarball `file`, such as `core-7.0.0.tgz`, of the package `name`. Raises as `packument` does."""
        check_name(name)
        if file in ("", ".", ".."):
            raise InvalidInputError(f"{file!r} is not the name of a tarball of {name}.")
        registry, transport, access = await self._registry(name)
        url = URL(f"{registry}{name}/-/{quote(file, safe='+~!()*')}", encoded=True)
        async with self._open_tarball(transport, access.tarball(name, url, registry), url, registry) as stream:
            yield stream

    @asynccontextmanager
    async def tarball_at(self, url: str, *, name: str = "") -> AsyncGenerator[TarballStream, None]:
        """Open the tarball at a packument's `dist.tarball`, which may be on another host than the registry.

        `name` is the package, whose scope decides the registry that the URL is asked for on behalf of. Raises as
        `packument` does, InvalidInputError when it is no http or https URL.
        """
        registry, transport, access = await self._registry(name)
        try:
            target = URL(url)
        except ValueError as error:
            raise InvalidInputError(f"{url[:200]!r} is not the URL of a tarball.") from error
        async with self._open_tarball(transport, access.tarball(name, target, registry), target, registry) as stream:
            yield stream

    async def document(
        self,
        path: str,
        *,
        limit: int,
        timeout: float,
        name: str = "",
        body: bytes | None = None,
        anonymous: bool = False,
    ) -> bytes:
        """Return the JSON object at `path`, such as `-/npm/v1/keys`, which not every registry has.

        `limit`: bytes of the answer. `timeout`: seconds for all of it. `name`: the package, if any, whose scope decides
        the registry. `body`: JSON to POST, gzipped on the way; without it the request is a GET, tried again as
        others are. `anonymous`: show no credentials. Raises as `packument` does; NotFoundError also for 400, 405
        and 501, which registries answer for what they do not have.
        """
        registry, transport, _ = await self._registry(name)
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
                return await (self._with_retries(attempt) if packed is None else attempt())
        except TimeoutError as error:
            raise UnavailableError(f"The upstream did not deliver {shown(url)} within {timeout:g} s.") from error

    async def close(self) -> None:
        """Cancel what is under way and close all connections. May be called more than once."""
        self._closed = True
        await self._openings.close()
        await self._packuments.close()
        if self._transport is not None:
            await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> UpstreamSettings:
        try:
            settings = self._given if isinstance(self._given, UpstreamSettings) else await self._given()
        except ConfigError as error:
            self._failure = asyncio.get_running_loop().time(), error
            raise
        self._transport = Transport(settings, node_id=self._node_id, limits=self._limits)
        self._access = Access(settings, self._transport, self._limits)
        self._settings = settings
        return settings

    async def _registry(self, name: str) -> tuple[URL, Transport, Access]:
        try:
            settings = await self.ready()
        except ConfigError as error:
            raise UnavailableError(f"The upstream is not known. {error.message}", hint=error.hint) from error
        registry = settings.registry_for(name)
        if registry is None or self._transport is None or self._access is None:
            raise NotFoundError("No upstream registry is configured.")
        return URL(registry, encoded=True), self._transport, self._access

    async def _fetch_packument(self, name: str, validators: Validators | None) -> Packument | NotModified:
        registry, transport, access = await self._registry(name)
        url = URL(f"{registry}{name.replace('/', '%2f')}", encoded=True)
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if validators is not None and validators.etag:
            headers["If-None-Match"] = validators.etag
        if validators is not None and validators.last_modified:
            headers["If-Modified-Since"] = validators.last_modified

        async def attempt() -> Packument | NotModified:
            with closing(await transport.get(url, registry, headers, decompress=True)) as answer:
                if answer.status == 304:
                    return NotModified(await inquiry.restricted(answer))
                body = await read_object(answer, self._limits.packument_bytes, f"packument of {name}")
                state = Validators(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
                return Packument(body, state, await inquiry.restricted(answer))

        try:
            async with access.packument(name, url, registry) as inquiry, asyncio.timeout(self._limits.packument):
                return await self._with_retries(attempt)
        except TimeoutError as error:
            raise UnavailableError(
                f"The upstream did not deliver the packument of {name} within {self._limits.packument:g} s."
            ) from error

    async def _with_retries(self, work: Callable[[], Awaitable[T]]) -> T:
        # The node that asked us tries again itself; three times at each of n nodes would be 3^n times.
        return await (work() if came_through() else with_retries(work, self._limits))

    @asynccontextmanager
    async def _open_tarball(
        self, transport: Transport, inquiry: Inquiry, url: URL, registry: URL
    ) -> AsyncGenerator[TarballStream, None]:
        headers = {"Accept": "application/octet-stream, */*", "Accept-Encoding": "identity"}
        async with inquiry:
            try:
                async with asyncio.timeout(self._limits.answer):
                    answer = await self._with_retries(lambda: transport.get(url, registry, headers, decompress=False))
            except TimeoutError as error:
                raise UnavailableError(
                    f"The upstream did not begin to deliver {shown(url)} within {self._limits.answer:g} s."
                ) from error
            with closing(answer):
                yield TarballStream(answer, inquiry, self._limits.tarball_bytes)
