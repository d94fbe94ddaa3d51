"""Fetches packuments from the source that owns their name: a pinned publisher, the upstream, or trusted mirrors."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import orjson

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.records import FoundRecord, RecordReader
from libreseed.errors import InvalidInputError, LibreseedError, NotFoundError, StoreError, UnavailableError
from libreseed.packages.lenient import read_json
from libreseed.packages.packument import check_packument, leave_out_unusable
from libreseed.store.tables.packuments import PackumentStore, StoredPackument, mirror_origin, publisher_origin
from libreseed.trust.records import Endpoint
from libreseed.upstream.client import Upstream
from libreseed.upstream.packuments import NotModified, Validators

log = logging.getLogger(__name__)


class PackumentSources:
    """Asks the source of a name. `on_upstream` is called with each packument that the upstream has sent."""

    def __init__(
        self,
        store: PackumentStore,
        *,
        records: RecordReader,
        upstream: Upstream | None,
        ownership: Ownership,
        mirrors_needed: int = 1,
        on_upstream: Callable[[StoredPackument], None] = lambda _: None,
    ) -> None:
        self._on_upstream = on_upstream
        self._store = store
        self._records = records
        self._upstream = upstream
        self._ownership = ownership
        self._mirrors_needed = mirrors_needed
        self._seeders: dict[str, tuple[Endpoint, ...]] = {}

    def seeders_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return the seeders in the last record of `name` that was read."""
        return self._seeders.get(name, ())

    async def refresh(self, name: str, stored: StoredPackument | None) -> StoredPackument:
        """Fetch the packument of `name` from its source, store and return it. `stored` is the present one in the store.

        Raises NotFoundError when every source that may know says that there is none, UnavailableError when one did not
        answer, TrustError when a check of its record failed.
        """
        publisher = self._ownership.publisher_of(name)
        if publisher is not None:
            found = await self._records.by_publisher(name, publisher)
            return await self._from_record(name, stored, found, publisher_origin(publisher))
        try:
            return await self._from_upstream(name, stored)
        except (NotFoundError, UnavailableError) as error:
            return await self._without_upstream(name, stored, error)

    async def _from_upstream(self, name: str, stored: StoredPackument | None) -> StoredPackument:
        if self._upstream is None or not self._ownership.has_upstream(name):
            raise NotFoundError(f"{name} is not known here, and there is no upstream.")
        origin = self._ownership.upstream_origin(name)
        known = stored if stored is not None and stored.origin == origin else None
        validators = None
        if known is not None and (known.etag or known.last_modified):
            validators = Validators(known.etag or "", known.last_modified or "")
        answer = await self._upstream.packument(name, validators)
        restricted = answer.restricted or await self._ownership.is_private(name)
        now = time.time()
        if isinstance(answer, NotModified):
            if known is None:
                raise UnavailableError(f"The upstream answered 304 for {name}, which was not asked conditionally.")
            if restricted or not known.restricted:  # once public, a packument stays public in the store
                await self._store.confirm(name, now)
                return replace(known, checked=now)
            fresh = replace(known, restricted=False, checked=now)
        else:
            body = await asyncio.to_thread(_usable, answer.body, name)
            fresh = StoredPackument(
                name=name,
                origin=origin,
                body=body,
                torrents={},
                etag=answer.validators.etag or None,
                last_modified=answer.validators.last_modified or None,
                restricted=restricted,
                checked=now,
            )
        fresh = await self._keep(fresh)
        if not fresh.restricted and (known is None or known.restricted or known.body != fresh.body):
            self._on_upstream(fresh)
        return fresh

    async def _without_upstream(
        self, name: str, stored: StoredPackument | None, why: LibreseedError
    ) -> StoredPackument:
        if await self._ownership.is_private(name):
            raise why  # the overlay must not be asked about a private name, nor may its nodes answer for it
        if self._ownership.has_upstream(name) and isinstance(why, NotFoundError):
            # docs/protocol.md, section 9: what the upstream says does not exist is asked of no mirror.
            await self._records.refuse_unknown_publishers(name, mirrors=False)
            raise why
        try:
            found = await self._records.by_mirrors(name, self._ownership.rules.mirrors, self._mirrors_needed)
        except (NotFoundError, UnavailableError) as error:
            if isinstance(why, UnavailableError):
                raise why from error
            if isinstance(error, NotFoundError):
                await self._records.refuse_unknown_publishers(name, mirrors=True)
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
        snapshot = await self._records.snapshot(found, shared=self._ownership.is_public(name))
        torrents = {version: (ref.v1.hex(), ref.v2.hex(), ref.length) for version, ref in snapshot.torrents.items()}
        body = await asyncio.to_thread(orjson.dumps, snapshot.packument)
        fresh = StoredPackument(
            name=name,
            origin=origin,
            body=body,
            torrents=torrents,
            etag=document,
            last_modified=None,
            restricted=False,
            checked=time.time(),
        )
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


def _usable(body: bytes, name: str) -> bytes:
    """Return the upstream's answer, without what no client could use. Raises UnavailableError unless it is a packument
    of `name` that can be serialised again."""
    try:
        read = read_json(body)
        value, unusable = leave_out_unusable(read.value)
        written = orjson.dumps(check_packument(value, name))
    except (InvalidInputError, ValueError, TypeError) as error:  # TypeError: nested too deeply to be written
        raise UnavailableError(f"What the upstream has for {name} is no packument: {error}") from error
    if unusable:
        log.warning("%s has versions without a tarball, which are left out: %s.", name, ", ".join(unusable)[:500])
    return body if read.is_strict and not unusable else written
