"""Packuments: who may say what a package is, asked in that order, and kept."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from libreseed.delivery.bundled import BundledPackage
from libreseed.delivery.errands import Errands, outcome
from libreseed.delivery.patience import Patience
from libreseed.delivery.policing import Judged, Policing
from libreseed.delivery.records import FoundRecord, RecordReader
from libreseed.delivery.remembered import Remembered
from libreseed.delivery.sources import Source
from libreseed.errors import (
    BadRecordError,
    EquivocationError,
    InvalidInputError,
    LibreseedError,
    NotFoundError,
    RollbackError,
    StoreError,
    UnavailableError,
)
from libreseed.packages.access import AccessRules
from libreseed.packages.packument import check_packument, check_published
from libreseed.store.packuments import (
    UPSTREAM,
    PackumentStore,
    StoredPackument,
    declared_origin,
    is_upstreams_origin,
    mirror_origin,
    publisher_origin,
)
from libreseed.store.publications import PublicationStore
from libreseed.store.trustfile import TrustFile
from libreseed.trust.history import revision
from libreseed.trust.records import Endpoint
from libreseed.trust.rules import TrustRules
from libreseed.upstream.client import Upstream
from libreseed.upstream.packuments import NotModified, Validators
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

MirrorHook = Callable[[StoredPackument], None]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds. A packument younger than `upstream` or `record` is served without asking anybody; an older one is
    served stale when its source has not answered within `patience`, and at once while that source is slow. A name
    found missing is not asked for again within `missing`."""

    upstream: float = 300.0
    record: float = 15.0
    patience: float = 0.5
    missing: float = 5.0


@dataclass(frozen=True, slots=True)
class FoundPackument:
    """A packument and where it came from. `body` is its JSON; `torrents` is what its publisher's record vouches for,
    by version `(v1, v2, length)`; `seeders` are the publisher's; `revision` and `origin` as in StoredPackument,
    `origin` None for what was published here. `judged` is what the policy says of it, None when that has nothing to
    say."""

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
    """Answers "which versions exist", and may be had by the policy.

    `on_upstream` is called with each packument that came anew from the upstream.
    """

    def __init__(
        self,
        publications: PublicationStore,
        store: PackumentStore,
        trust: TrustFile,
        records: RecordReader,
        upstream: Upstream | None,
        policing: Policing,
        bundled: BundledPackage,
        *,
        access: AccessRules | None = None,
        mirrors_needed: int = 1,
        freshness: Freshness | None = None,
    ) -> None:
        self.on_upstream: MirrorHook = lambda _: None
        self._publications = publications
        self._store = store
        self._trust = trust
        self._records = records
        self._upstream = upstream
        self._policing = policing
        self._bundled = bundled
        self._access = access or AccessRules()
        self._mirrors_needed = mirrors_needed
        self._freshness = freshness or Freshness()
        self._patience = Patience(self._freshness.patience)
        self._refreshing: Errands[tuple[str, ...], StoredPackument] = Errands()
        self._missing: Remembered[str, tuple[TrustRules, LibreseedError]] = Remembered(self._freshness.missing)
        self._seeders: dict[str, tuple[Endpoint, ...]] = {}

    def publisher_of(self, name: str) -> bytes | None:
        """Return the key that the user pinned `name` to, unless it is published here."""
        return None if self._publications.has(name) else self._trust.rules().publisher_of(name)

    def is_published(self, name: str) -> bool:
        """Tell whether `name` was published here."""
        return self._publications.has(name)

    def is_upstreams(self, name: str) -> bool:
        """Tell whether the upstream may be asked for `name`: there is one, and nobody else owns the name."""
        if name == self._bundled.name or self._publications.has(name):
            return False
        return self._has_upstream(name) and self.publisher_of(name) is None

    def is_declared(self, name: str) -> bool:
        """Tell whether an upstream is declared for `name`, whose word alone counts then."""
        return self._upstream is not None and self._upstream.owner(name) is not None

    def has_source(self, name: str) -> bool:
        """Tell whether there is anybody whose word about `name`, not published here, would count."""
        return bool(self._has_upstream(name) or self.publisher_of(name) or self._trust.rules().mirrors)

    def is_public(self, name: str) -> bool:
        """Tell whether the access rules let everybody read `name`, and so let it be shared with other nodes."""
        return self._access.is_public(name)

    async def is_private(self, name: str) -> bool:
        """Tell whether nobody but the upstream may learn of `name`."""
        if not self.is_public(name) and self.publisher_of(name) is None:  # a pinned publisher's is with others already
            return True
        return self._upstream is not None and await self._upstream.is_private(name)

    async def find(self, name: str, *, for_writing: bool = False) -> FoundPackument:
        """Return what may be had of the packument of `name`. `for_writing`: all of it when it was published here.

        Raises ForbiddenError when nothing may be had, and as `find_whole` does.
        """
        if not self._policing.concerns(name) or (for_writing and self._publications.has(name)):
            return await self.find_whole(name)
        self._policing.check_name(name)
        whole = await self.find_whole(name)
        judged = await self._policing.judge(name, whole.body, own=self._publications.has(name))
        judged.check_any()
        return replace(whole, body=judged.body, revision=judged.revision or whole.revision, judged=judged)

    async def find_whole(self, name: str) -> FoundPackument:
        """Return the packument of `name`, from the one who owns the name, whatever the policy says of it.

        Order: what we bring along; published here; pinned to a publisher; the upstream; trusted mirrors.
        Raises NotFoundError when all who can know say there is none, UnavailableError when one could not answer,
        TrustError for a refusal.
        """
        if name == self._bundled.name:
            return FoundPackument(name, self._bundled.packument, "store", self._bundled.revision)
        own = await self._publications.find(name) if self._publications.has(name) else None
        if own is not None:
            check_published(own.packument)
            body = orjson.dumps({**own.packument, "_rev": revision(own.history)})
            return FoundPackument(name, body, "store", hashlib.sha256(body).digest())
        stored = await self.stored(name)
        if stored is not None and time.time() - stored.checked < self._lifetime(stored):
            return self._found(stored, "store")
        self._refuse_missing(name)
        with self._refreshing.attended((name, *came_through()), lambda: self._refresh(name, stored)) as refresh:
            if stored is None:
                await asyncio.wait([refresh])
            elif not await self._patience.wait(refresh, stored.origin) or self._failed_harmlessly(name, refresh):
                return self._found(stored, "stale")
        try:
            fresh = outcome(refresh)
        except NotFoundError as error:
            self._remember_missing(name, error)
            raise
        return self._found(fresh, "upstream" if is_upstreams_origin(fresh.origin) else "swarm")

    async def refreshed(self, name: str) -> StoredPackument:
        """Return the packument of `name`, not published here, as its source has it now. Raises as `find_whole` does."""
        self._refuse_missing(name)
        stored = await self.stored(name)
        return await self._refreshing.run((name, *came_through()), lambda: self._refresh(name, stored))

    async def stored(self, name: str) -> StoredPackument | None:
        """Return the packument of `name` from the store, whatever its age, if it is from a source still trusted."""
        stored = await self._store.find(name)
        return stored if stored is not None and self.trusts(name, stored.origin) else None

    def trusts(self, name: str, origin: str) -> bool:
        """Tell whether `origin`, a StoredPackument's, may say what `name` is. Of what is published here, and of what we
        bring along, nobody may."""
        if name == self._bundled.name or self._publications.has(name):
            return False
        publisher = self.publisher_of(name)
        if publisher is not None:
            return origin == publisher_origin(publisher)
        expected = self._upstream_origin(name)
        # What is declared elsewhere is nobody else's, whatever was stored before it was declared.
        mirrors = self._trust.rules().mirrors if expected == UPSTREAM else ()
        return origin == expected or origin in map(mirror_origin, mirrors)

    def seeders_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return the seeders that the record of `name` read last named."""
        return self._seeders.get(name, ())

    async def close(self) -> None:
        """End what is under way."""
        await self._refreshing.close()

    def _found(self, stored: StoredPackument, source: Source) -> FoundPackument:
        if not stored.torrents and self.publisher_of(stored.name) is not None:
            check_published(orjson.loads(stored.body))
        return FoundPackument(
            stored.name,
            stored.body,
            source,
            stored.revision,
            stored.origin,
            stored.torrents,
            stored.restricted,
            self._seeders.get(stored.name, ()),
        )

    def _lifetime(self, stored: StoredPackument) -> float:
        return self._freshness.upstream if is_upstreams_origin(stored.origin) else self._freshness.record

    def _has_upstream(self, name: str) -> bool:
        return self._upstream is not None and self._upstream.serves(name)

    def _upstream_origin(self, name: str) -> str:
        owner = self._upstream.owner(name) if self._upstream is not None else None
        return UPSTREAM if owner is None else declared_origin(owner)

    def _failed_harmlessly(self, name: str, refresh: "asyncio.Task[StoredPackument]") -> bool:
        """Tell whether a refresh failed in a way that says nothing against what we have. Only the upstream's own 404
        does, and an expired record: nobody vouches for that any more."""
        error = refresh.exception()
        if isinstance(error, NotFoundError):
            return not self._has_upstream(name) or self.publisher_of(name) is not None
        return isinstance(error, UnavailableError | RollbackError | EquivocationError | BadRecordError)

    async def _refresh(self, name: str, stored: StoredPackument | None) -> StoredPackument:
        publisher = self.publisher_of(name)
        if publisher is not None:
            found = await self._records.by_publisher(name, publisher)
            return await self._from_record(name, stored, found, publisher_origin(publisher))
        try:
            return await self._from_upstream(name, stored)
        except (NotFoundError, UnavailableError) as error:
            return await self._without_upstream(name, stored, error)

    async def _from_upstream(self, name: str, stored: StoredPackument | None) -> StoredPackument:
        if self._upstream is None or not self._has_upstream(name):
            raise NotFoundError(f"{name} is not known here, and there is no upstream.")
        origin = self._upstream_origin(name)
        known = stored if stored is not None and stored.origin == origin else None
        validators = None
        if known is not None and (known.etag or known.last_modified):
            validators = Validators(known.etag or "", known.last_modified or "")
        answer = await self._upstream.packument(name, validators)
        restricted = answer.restricted or await self.is_private(name)
        now = time.time()
        if isinstance(answer, NotModified):
            if known is None:
                raise UnavailableError(f"The upstream answered 304 for {name}, which was not asked conditionally.")
            if restricted or not known.restricted:  # what everybody could have, everybody may have
                await self._store.confirm(name, now)
                return replace(known, checked=now)
            fresh = replace(known, restricted=False, checked=now)
        else:
            await asyncio.to_thread(_check, answer.body, name)
            fresh = StoredPackument(
                name,
                origin,
                answer.body,
                {},
                answer.validators.etag or None,
                answer.validators.last_modified or None,
                restricted,
                now,
            )
        fresh = await self._keep(fresh)
        if not fresh.restricted and (known is None or known.restricted or known.body != fresh.body):
            self.on_upstream(fresh)
        return fresh

    async def _without_upstream(
        self, name: str, stored: StoredPackument | None, why: LibreseedError
    ) -> StoredPackument:
        if await self.is_private(name):
            raise why  # the overlay must not learn that name, nor anybody there answer for it
        if self._has_upstream(name) and isinstance(why, NotFoundError):
            # The upstream rules its own name space: what it says does not exist, no mirror brings back.
            await self._records.refuse_strangers(name, mirrors=False)
            raise why
        try:
            found = await self._records.by_mirrors(name, self._trust.rules().mirrors, self._mirrors_needed)
        except (NotFoundError, UnavailableError) as error:
            if isinstance(why, UnavailableError):
                raise why from error
            if isinstance(error, NotFoundError):
                await self._records.refuse_strangers(name, mirrors=True)
            raise
        return await self._from_record(name, stored, found, mirror_origin(found.item.key))

    async def _from_record(
        self, name: str, stored: StoredPackument | None, found: FoundRecord, origin: str
    ) -> StoredPackument:
        document = found.record.document.hex()
        self._seeders[name] = found.record.reachable_seeders
        if stored is not None and stored.origin == origin and stored.etag == document:
            await self._store.confirm(name, time.time())
            return replace(stored, checked=time.time())
        snapshot = await self._records.snapshot(found, shared=self.is_public(name))
        torrents = {version: (ref.v1.hex(), ref.v2.hex(), ref.length) for version, ref in snapshot.torrents.items()}
        body = await asyncio.to_thread(orjson.dumps, snapshot.packument)
        fresh = StoredPackument(name, origin, body, torrents, document, None, False, time.time())
        fresh = await self._keep(fresh)
        await self._records.drop_superseded(found)
        return fresh

    async def _keep(self, packument: StoredPackument) -> StoredPackument:
        try:
            return await self._store.save(packument)
        except StoreError as error:
            log.warning("The packument of %s is passed on, but not kept. %s", packument.name, error)
            digest = await asyncio.to_thread(hashlib.sha256, packument.body)
            return replace(packument, revision=digest.digest())

    def _refuse_missing(self, name: str) -> None:
        missing = self._missing.get(name)
        if missing is not None and missing[0] == self._trust.rules():
            raise missing[1].with_traceback(None)

    def _remember_missing(self, name: str, error: LibreseedError) -> None:
        self._missing.put(name, (self._trust.rules(), error))


def _check(body: bytes, name: str) -> None:
    """Raise UnavailableError unless the upstream's answer is a packument of `name` that can be passed on."""
    try:
        orjson.dumps(check_packument(orjson.loads(body), name))
    except (InvalidInputError, ValueError, TypeError) as error:  # TypeError: nested too deeply to be written
        raise UnavailableError(f"What the upstream has for {name} is no packument: {error}") from error
