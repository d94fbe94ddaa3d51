"""Looks up and checks the records of a name, and fetches the snapshot that one points to (docs/protocol.md, sections 4
and 5)."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.errors import (
    EquivocationError,
    ExpiredError,
    LibreseedError,
    NotFoundError,
    RollbackError,
    UnavailableError,
    UnknownPublisherError,
)
from libreseed.network.overlay.overlay import Overlay
from libreseed.packages.names import key_text
from libreseed.store.tables.records import RecordStore
from libreseed.swarm.seeding import Seeding
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import format_key
from libreseed.trust.records import Record, RecordType, check_fresh, check_succession, is_ahead, read_record
from libreseed.trust.snapshot import MAX_DOCUMENT, Snapshot, read_snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record that passed every check, and its item. `superseded`: the SHA-512 of the snapshot that the record
    accepted before pointed to, None when there was none."""

    item: SignedItem
    record: Record
    superseded: bytes | None = None


class RecordReader:
    """Finds records and reads their snapshots, as a reader in the sense of docs/protocol.md, section 4: after the
    overlay has applied refusals 1 to 7, it applies 9, 10 and 8."""

    def __init__(self, overlay: Overlay, store: RecordStore, fetcher: SwarmFetcher, seeding: Seeding) -> None:
        self._overlay = overlay
        self._store = store
        self._fetcher = fetcher
        self._seeding = seeding

    async def by_publisher(self, name: str, key: bytes) -> FoundRecord:
        """Return the record of `name` by the publisher that it is pinned to.

        Raises NotFoundError when there is none, UnavailableError when no node could be asked, and each refusal as a
        TrustError of its own: RollbackError, EquivocationError, ExpiredError.
        """
        found = await self._find(name, "package", [key])
        if not found:
            self._require_peers(name)
            raise NotFoundError(f"{format_key(key)} has published no record of {name}.")
        return found[0]

    async def by_mirrors(self, name: str, keys: Collection[bytes], needed: int) -> FoundRecord:
        """Return the newest record of `name` whose document at least `needed` of the trusted mirrors `keys` agree on
        (docs/protocol.md, section 9, source 4).

        Raises as `by_publisher`, and UnknownPublisherError when only keys that the user does not trust have records.
        """
        found = await self._find(name, "mirror", keys)
        by_document: dict[bytes, list[FoundRecord]] = defaultdict(list)
        for record in found:
            by_document[record.record.document].append(record)
        agreed = [max(group, key=_seq) for group in by_document.values() if len(group) >= needed]
        if agreed:
            return max(agreed, key=_seq)
        if found:
            raise UnavailableError(
                f"{len(found)} trusted mirrors have {name}, but no {needed} of them agree on what it is."
            )
        if keys:
            self._require_peers(name)
        elif self._overlay.peers == 0:
            # Without trusted mirrors none can be missing: 404, and not 503, which npm would retry before it publishes.
            raise NotFoundError(
                f"{name} is not known here, and this node is connected to no other.",
                hint="To ask others: libreseed serve --bootstrap HOST:PORT",
            )
        raise NotFoundError(f"Nobody that you trust offers {name}.")

    async def refuse_unknown_publishers(self, name: str, *, mirrors: bool) -> None:
        """Raise UnknownPublisherError when a publisher to whom `name` is not pinned has a record of it; with `mirrors`,
        also when a mirror that the user does not trust has one."""
        publishers: list[str] = []
        offers: list[str] = []
        for item in await self._overlay.find_records(name):
            kind = read_record(item, name, time.time()).type
            (publishers if kind == "package" else offers).append(format_key(item.key))
        if publishers:
            raise UnknownPublisherError(
                f"{name} is claimed by {_alternatives(publishers)}, and you have pinned it to nobody.",
                hint=f"If you trust that key: libreseed trust add '{name}' {publishers[0]}",
            )
        if mirrors and offers:
            raise UnknownPublisherError(
                f"{name} is offered by the mirror {_alternatives(offers)}, which you do not trust.",
                hint=f"If you do: libreseed trust mirror {offers[0]}",
            )

    async def snapshot(self, found: FoundRecord, *, shared: bool = True) -> Snapshot:
        """Fetch the snapshot that a record points to, from its seeders first, and check it against the record.

        `shared`: it is seeded then.

        Raises as SwarmFetcher.fetch does, and BadRecordError.
        """
        record = found.record
        ref = record.snapshot
        if ref.length > MAX_DOCUMENT:  # docs/protocol.md, section 5, "Reading", refusal 1
            raise UnavailableError(f"The snapshot of {record.name} is too long: {ref.length} bytes.")
        if not await self._seeding.check(ref.sha512):
            await self._fetcher.fetch(BlobRequest(ref.sha512, ref, record.reachable_seeders, shared=shared))
            await self._store.note_fetched(ref.sha512)
        file = self._seeding.path(ref.sha512)
        return await asyncio.to_thread(lambda: read_snapshot(file.read_bytes(), record))

    async def drop_superseded(self, found: FoundRecord) -> None:
        """Delete the snapshot of the record that `found` supersedes, if it came here as that and is nothing else: a
        record may name any blob."""
        old = found.superseded
        if old is None or old == found.record.snapshot.sha512 or self._seeding.owners(old):
            return
        if not await self._store.is_signed_snapshot(old) and await self._store.forget_fetched(old):
            await self._seeding.drop(old)

    async def _find(self, name: str, kind: RecordType, keys: Collection[bytes]) -> list[FoundRecord]:
        found: list[FoundRecord] = []
        refusal: LibreseedError | None = None
        by_key: dict[bytes, list[SignedItem]] = defaultdict(list)
        for item in await self._overlay.find_records(name):
            if item.key in keys:
                by_key[item.key].append(item)
        for item, *rivals in by_key.values():
            try:
                for rival in rivals:
                    check_succession(item, rival, name)
                record = read_record(item, name, time.time())
                if record.type == kind:
                    superseded = await self._check_against_seen(name, item)
                    check_fresh(item, record, time.time())
                    found.append(FoundRecord(item, record, superseded))
            except (EquivocationError, RollbackError, ExpiredError) as error:
                log.warning("%s", error)
                refusal = error
        if not found and refusal is not None:
            raise refusal
        return found

    async def _check_against_seen(self, name: str, item: SignedItem) -> bytes | None:
        """Compare an item with the newest one accepted before, and save it. Return the SHA-512 of the earlier record's
        snapshot. Raises RollbackError, EquivocationError (refusals 9 and 10)."""
        now = time.time()
        seen = await self._store.find_seen(name, item.key)
        if seen is not None and is_ahead(seen.seq, now):
            seen = None  # this machine's clock was ahead when it was accepted
        try:
            check_succession(seen, item, name)
        except EquivocationError:
            if seen is not None:
                await self._store.save_evidence(key_text(name), seen, item)
            raise
        if seen is None or item.seq > seen.seq:
            await self._store.save_seen(name, item)
        return read_record(seen, name, now).snapshot.sha512 if seen is not None else None

    def _require_peers(self, name: str) -> None:
        if self._overlay.peers == 0:
            raise UnavailableError(
                f"{name} cannot be looked up: this node is connected to no other.",
                hint="Give it one with --bootstrap HOST:PORT.",
            )


def _seq(found: FoundRecord) -> int:
    return found.item.seq


def _alternatives(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} keys ({', '.join(keys)})"
