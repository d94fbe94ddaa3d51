"""Delivers packuments: from the store while they are fresh, else from the source that owns the name (docs/protocol.md,
section 9)."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from cachetools import TTLCache

from libreseed.caching import is_recent
from libreseed.concurrency.single_flight import SingleFlight, outcome
from libreseed.delivery.metadata.bundled import BundledPackage
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.policing import Judged, Policing
from libreseed.delivery.metadata.refreshing import PackumentSources
from libreseed.delivery.metadata.stale_while_revalidate import StaleWhileRevalidate
from libreseed.delivery.sources import Source
from libreseed.errors import (
    BadRecordError,
    EquivocationError,
    LibreseedError,
    NotFoundError,
    RollbackError,
    UnavailableError,
    UnknownPublisherError,
)
from libreseed.packages.packument import check_published
from libreseed.packages.partial import read_versions_lazily
from libreseed.store.tables.packuments import (
    PackumentStore,
    StoredPackument,
    is_upstreams_origin,
)
from libreseed.store.tables.publications import PublicationStore
from libreseed.trust.history import revision
from libreseed.trust.records import Endpoint
from libreseed.trust.rules import TrustRules
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

_MISSING_NAMES = 10_000
"""Names found missing that are cached."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds. A packument younger than `upstream` or `record`, by its source, is served from the store. An older one
    is served stale when its source has not answered within `max_wait`, and at once while that source is slow. A name
    that was found missing is not asked for again within `missing`."""

    upstream: float = 300.0
    record: float = 15.0
    max_wait: float = 0.5
    missing: float = 5.0


@dataclass(frozen=True, slots=True)
class FoundPackument:
    """A packument and its source. `body` is its JSON; `torrents` are those in the publisher's snapshot, by version
    `(v1, v2, length)`; `seeders` are those in the publisher's record; `revision` and `origin` as in StoredPackument,
    `origin` None for a package published here. `judged` is the packument after the policy, None when no rule concerns
    it."""

    name: str
    body: bytes
    source: Source
    revision: bytes
    origin: str | None = None
    torrents: dict[str, Any] = field(default_factory=dict)
    restricted: bool = False
    seeders: tuple[Endpoint, ...] = ()
    judged: Judged | None = None


class PackumentDelivery:
    """Finds the packument of a name: which versions exist, and which of them the policy lets clients have.

    `refreshing` are the sources that are being asked now, `stale` decides how long a client waits for one.
    """

    def __init__(
        self,
        publications: PublicationStore,
        *,
        store: PackumentStore,
        sources: PackumentSources,
        ownership: Ownership,
        policing: Policing,
        bundled: BundledPackage,
        freshness: Freshness | None = None,
    ) -> None:
        self._publications = publications
        self._store = store
        self._sources = sources
        self._ownership = ownership
        self._policing = policing
        self._bundled = bundled
        self._freshness = freshness or Freshness()
        self.stale = StaleWhileRevalidate(self._freshness.max_wait)
        self.refreshing: SingleFlight[tuple[str, ...], StoredPackument] = SingleFlight()
        self._missing: TTLCache[str, tuple[TrustRules, LibreseedError]] = TTLCache(
            _MISSING_NAMES, self._freshness.missing
        )

    async def find(self, name: str, *, for_writing: bool = False) -> FoundPackument:
        """Return the packument of `name` after the policy. `for_writing`: whole if it was published here.

        Raises ForbiddenError when the policy leaves no version, and as `find_whole` does.
        """
        if not self._policing.concerns(name) or (for_writing and self._publications.has(name)):
            return await self.find_whole(name)
        self._policing.check_name(name)
        whole = await self.find_whole(name)
        judged = await self._policing.judge(name, whole.body, own=self._publications.has(name))
        judged.check_any()
        return replace(whole, body=judged.body, revision=judged.revision or whole.revision, judged=judged)

    async def find_whole(self, name: str) -> FoundPackument:
        """Return the packument of `name` from the source that owns the name, before the policy.

        Raises NotFoundError when every source that may know says that there is none, UnavailableError when one did not
        answer, TrustError when a check of its record failed.
        """
        if name == self._bundled.name:
            return FoundPackument(name, self._bundled.packument, "store", self._bundled.revision)
        own = await self._publications.find(name) if self._publications.has(name) else None
        if own is not None:
            check_published(own.packument)
            body = orjson.dumps({**own.packument, "_rev": revision(own.history)})
            return FoundPackument(name, body, "store", hashlib.sha256(body).digest())
        stored = await self.stored(name)
        if stored is not None and is_recent(stored.checked, self._lifetime(stored)):
            return self._found(stored, "store")
        self._refuse_missing(name)
        with self.refreshing.attended((name, *came_through()), lambda: self._sources.refresh(name, stored)) as refresh:
            if stored is None:
                await asyncio.wait([refresh])
            elif not await self.stale.wait(refresh, stored.origin) or self._failed_harmlessly(name, refresh):
                return self._found(stored, "stale")
        try:
            fresh = outcome(refresh)
        except NotFoundError as error:
            self._remember_missing(name, error)
            raise
        return self._found(fresh, "upstream" if is_upstreams_origin(fresh.origin) else "swarm")

    async def refreshed(self, name: str) -> StoredPackument:
        """Return the present packument of `name`, not published here, from its source. Raises as `find_whole` does."""
        self._refuse_missing(name)
        stored = await self.stored(name)
        return await self.refreshing.run((name, *came_through()), lambda: self._sources.refresh(name, stored))

    async def stored(self, name: str) -> StoredPackument | None:
        """Return the packument of `name` from the store, of any age, if its origin is still trusted; else None."""
        stored = await self._store.find(name)
        return stored if stored is not None and self._ownership.trusts(name, stored.origin) else None

    @property
    def is_busy(self) -> bool:
        """Whether a source is being asked for a packument."""
        return self.refreshing.is_busy

    async def idle(self) -> None:
        """Wait until no source is being asked."""
        await self.refreshing.idle()

    def seeders_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return the seeders in the last record of `name` that was read."""
        return self._sources.seeders_of(name)

    async def close(self) -> None:
        """Cancel running requests to sources, and wait for their end."""
        await self.refreshing.close()

    def _found(self, stored: StoredPackument, source: Source) -> FoundPackument:
        if not stored.torrents and self._ownership.publisher_of(stored.name) is not None:
            check_published(read_versions_lazily(stored.body))
        return FoundPackument(
            name=stored.name,
            body=stored.body,
            source=source,
            revision=stored.revision,
            origin=stored.origin,
            torrents=stored.torrents,
            restricted=stored.restricted,
            seeders=self._sources.seeders_of(stored.name),
        )

    def _lifetime(self, stored: StoredPackument) -> float:
        return self._freshness.upstream if is_upstreams_origin(stored.origin) else self._freshness.record

    def _failed_harmlessly(self, name: str, refresh: "asyncio.Task[StoredPackument]") -> bool:
        """Tell whether the stored packument may be served although a refresh has failed. Not after an expired record,
        which nobody vouches for any more, nor when the upstream says that there is no such package, whatever unknown
        publishers claim then."""
        error = refresh.exception()
        if isinstance(error, NotFoundError | UnknownPublisherError):
            return not self._ownership.has_upstream(name) or self._ownership.publisher_of(name) is not None
        return isinstance(error, UnavailableError | RollbackError | EquivocationError | BadRecordError)

    def _refuse_missing(self, name: str) -> None:
        missing = self._missing.get(name)
        if missing is not None and missing[0] == self._ownership.rules:
            raise missing[1].with_traceback(None)

    def _remember_missing(self, name: str, error: LibreseedError) -> None:
        self._missing[name] = (self._ownership.rules, error)
