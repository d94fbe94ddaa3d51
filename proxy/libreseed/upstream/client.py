"""The client of all upstream registries: each package is asked for at the registry that its name belongs to."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from yarl import URL

from libreseed.errors import ConfigError, InvalidInputError, NotFoundError, UnavailableError
from libreseed.packages.names import check_name, scope_of
from libreseed.upstream.connection import Connection
from libreseed.upstream.declared import DeclaredUpstream, owner_of
from libreseed.upstream.documents import fetch_document
from libreseed.upstream.limits import Limits
from libreseed.upstream.packuments import NotModified, Packument, Validators, fetch_packument
from libreseed.upstream.settings import UpstreamSettings
from libreseed.upstream.tarballs import TarballStream, open_tarball

SettingsFactory = Callable[[], Awaitable[UpstreamSettings]]

DEFAULT = "default"
"""The name, in the status, of the source of all names that no other is declared for."""


class Upstream:
    """The upstream npm registries: the default source, and those declared in the configuration file.

    `settings` of the default source may be a factory, which is awaited when that source is first used (see `ready`).
    `node_id` is sent with every request, so that nodes which are each other's upstream notice it. `limits` are the
    default source's. `offline`: no registry is asked, though each name belongs to its registry as before.
    """

    def __init__(
        self,
        settings: UpstreamSettings | SettingsFactory,
        declared: Sequence[DeclaredUpstream] = (),
        *,
        node_id: str,
        limits: Limits | None = None,
        offline: bool = False,
    ) -> None:
        self._given = settings
        self._declared = tuple(declared)
        self._node_id = node_id
        self._limits = limits or Limits()
        self._offline = offline
        self._default: Connection | None = None
        self._connections: dict[str, Connection] = {}
        self._failure: tuple[float, ConfigError] | None = None
        self._opening: asyncio.Task[UpstreamSettings] | None = None
        self._closed = False

    @property
    def url(self) -> str | None:
        """The default registry's URL, without user and password; None when there is none or it is not known yet."""
        if self._default is not None:
            return self._default.settings.registry
        return self._given.registry if isinstance(self._given, UpstreamSettings) else None

    @property
    def requests(self) -> int:
        """The number of HTTP requests sent so far: every attempt, redirect, revalidation and HEAD is one."""
        connections = [*self._connections.values(), *([self._default] if self._default else [])]
        return sum(connection.transport.requests for connection in connections)

    def state(self) -> list[dict[str, Any]]:
        """Return what the status shows of each source: `{name, url, packages, requests, state, wait}`.

        `state`: `offline` when nobody is asked, `down` while it is left alone for its faults, for `wait` whole seconds
        more, else `up`. `requests` is None for npm's scopes, whose requests are counted with the default source.
        """
        shown = [self._state(DEFAULT, self.url, ["*"], self._default)]
        scopes = self._default.settings.scopes.items() if self._default else ()
        for scope, url in scopes:
            shown.append({**self._state(scope, url, [f"{scope}/*"], self._default), "requests": None})
        for each in self._declared:
            connection = self._connections.get(each.name)
            shown.append(self._state(each.name, each.settings.registry, each.packages, connection))
        return shown

    def owner(self, name: str) -> str | None:
        """Return the name of the upstream that `name` is declared for, None when it is the default source's."""
        owner = owner_of(self._declared, name)
        return owner.name if owner else None

    def serves(self, name: str) -> bool:
        """Tell whether there is a registry for `name`. The default source counts as one until its settings are
        known."""
        if isinstance(self._given, UpstreamSettings) and self._given.registry_for(name) is None:
            return owner_of(self._declared, name) is not None
        return True

    async def ready(self) -> UpstreamSettings:
        """Return the default source's settings, read now if they are not known yet.

        Raises ConfigError: the factory failed; it is asked again after `limits.npm_again`. UnavailableError: closed.
        """
        if self._closed:
            raise UnavailableError("The upstream is closed.")
        if self._default is not None:
            return self._default.settings
        if self._failure is not None:
            when, failure = self._failure
            if asyncio.get_running_loop().time() < when + self._limits.npm_again:
                raise failure
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        opening = self._opening
        await asyncio.wait([opening])
        if opening.cancelled():
            raise UnavailableError("The upstream is closed.")
        return opening.result()

    async def is_private(self, name: str) -> bool:
        """Tell whether `name`, or a scope such as `@corp`, has a registry of its own, so that no other registry or node
        may be asked about it.

        True for every scoped name while npm's configuration, which may name such registries, cannot be read.
        """
        scope = scope_of(name)
        if owner_of(self._declared, name) or (name == scope != "" and self._is_declared_scope(scope)):
            return True
        if not scope:
            return False
        try:
            return (await self.ready()).is_private(name)
        except (ConfigError, UnavailableError):
            return True

    async def packument(self, name: str, validators: Validators | None = None) -> Packument | NotModified:
        """Return the full packument of `name`, or NotModified if it is still what `validators` stand for.

        Raises NotFoundError (the upstream has no such package, or there is no upstream), UnauthorizedError,
        ForbiddenError, UnavailableError (everything else that can go wrong), InvalidInputError (no package name).
        """
        check_name(name)
        registry, connection = await self._registry(name)
        return await fetch_packument(connection, registry, name, validators)

    @asynccontextmanager
    async def tarball(self, name: str, file: str) -> AsyncGenerator[TarballStream, None]:
        """Open the tarball `file`, such as `core-7.0.0.tgz`, of the package `name`. Raises as `packument` does."""
        check_name(name)
        if file in ("", ".", ".."):
            raise InvalidInputError(f"{file!r} is not the name of a tarball of {name}.")
        registry, connection = await self._registry(name)
        url = URL(f"{registry}{name}/-/{quote(file, safe='+~!()*')}", encoded=True)
        async with open_tarball(connection, name, url, registry) as stream:
            yield stream

    @asynccontextmanager
    async def tarball_at(self, url: str, *, name: str = "") -> AsyncGenerator[TarballStream, None]:
        """Open the tarball at a packument's `dist.tarball`, which may be on another host than the registry.

        `name` is the package, whose registry decides on credentials and TLS. Raises as `packument` does, and
        InvalidInputError when it is no http or https URL.
        """
        registry, connection = await self._registry(name)
        try:
            target = URL(url)
        except ValueError as error:
            raise InvalidInputError(f"{url[:200]!r} is not the URL of a tarball.") from error
        async with open_tarball(connection, name, target, registry) as stream:
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

        `limit`: bytes of the answer. `timeout`: seconds for all of it. `name`: the package, if any, which decides the
        registry. `body`: JSON to POST, gzipped on the way; without it the request is a GET, tried again as
        others are. `anonymous`: show no credentials. Raises as `packument` does; NotFoundError also for 400, 405
        and 501, which registries answer for what they do not have.
        """
        registry, connection = await self._registry(name)
        return await fetch_document(
            connection, registry, path, limit=limit, timeout=timeout, body=body, anonymous=anonymous
        )

    async def close(self) -> None:
        """Close all connections, also those in use. May be called more than once."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        for connection in (*self._connections.values(), *([self._default] if self._default else [])):
            await connection.transport.close()

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
        self._default = self._connect(settings, self._limits)
        return settings

    def _connect(self, settings: UpstreamSettings, limits: Limits) -> Connection:
        return Connection(settings, node_id=self._node_id, limits=limits)

    async def _registry(self, name: str) -> tuple[URL, Connection]:
        """Return the registry of `name`, "" for what belongs to no package, and the connection to it."""
        if self._closed:
            raise UnavailableError("The upstream is closed.")
        owner = owner_of(self._declared, name)
        if owner is None:
            connection = await self._default_connection()
        else:
            if owner.name not in self._connections:
                self._connections[owner.name] = self._connect(owner.settings, owner.limits)
            connection = self._connections[owner.name]
        registry = connection.registry(name)
        if registry is None:
            raise NotFoundError("No upstream registry is configured.")
        if self._offline:
            raise UnavailableError(
                f"{name or 'That'} is not here, and this server is offline: it asks no registry.",
                hint="To fetch it, start the server without --offline.",
            )
        return registry, connection

    async def _default_connection(self) -> Connection:
        try:
            await self.ready()
        except ConfigError as error:
            raise UnavailableError(f"The upstream is not known. {error.message}", hint=error.hint) from error
        if self._default is None:
            raise UnavailableError("The upstream is closed.")
        return self._default

    def _is_declared_scope(self, scope: str) -> bool:
        return any(upstream.knows_scope(scope) for upstream in self._declared)

    def _state(
        self, name: str, url: str | None, packages: Sequence[str], connection: Connection | None
    ) -> dict[str, Any]:
        breaker = connection.transport.breaker(URL(url)) if connection is not None and url is not None else None
        down = breaker is not None and breaker.is_open
        return {
            "name": name,
            "url": url,
            "packages": list(packages),
            "requests": connection.transport.requests if connection else 0,
            "state": "offline" if self._offline else "down" if down else "up",
            "wait": math.ceil(breaker.wait) if breaker else 0,
        }
