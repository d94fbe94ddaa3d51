"""Signs, announces and renews records (docs/protocol.md, section 4)."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from libreseed.caching import is_recent
from libreseed.errors import LibreseedError
from libreseed.network.overlay.overlay import Overlay
from libreseed.packages.access import AccessRules
from libreseed.packages.integrity import sha512
from libreseed.store.tables.packuments import UPSTREAM, PackumentStore
from libreseed.store.tables.records import RecordStore, SignedRecord
from libreseed.swarm.seeding import Seeding
from libreseed.trust.history import history_root
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import PrivateKey
from libreseed.trust.records import (
    LIFETIME,
    RESIGN_AFTER,
    Endpoint,
    Record,
    RecordType,
    is_ahead,
    next_seq,
    read_record,
    sign_record,
)
from libreseed.trust.snapshot import Snapshot, pack

log = logging.getLogger(__name__)

_CHECK_EVERY = 3600.0


class RecordSigner:
    """Signs records with this node's key. `seeders` returns the endpoints at which others reach its BitTorrent port."""

    def __init__(
        self,
        key: PrivateKey,
        *,
        store: RecordStore,
        seeding: Seeding,
        overlay: Overlay,
        seeders: Callable[[], tuple[Endpoint, ...]],
        packuments: PackumentStore,
        access: AccessRules,
    ) -> None:
        self._key = key
        self._store = store
        self._seeding = seeding
        self._overlay = overlay
        self._seeders = seeders
        self._packuments = packuments
        self._access = access

    async def sign(self, kind: RecordType, snapshot: Snapshot) -> SignedItem:
        """Pack, seed, sign and announce a snapshot. One with the document of the last record is not signed again.

        Returns the signed record in force. Raises StoreError, SwarmError, BadRecordError.
        """
        document = await asyncio.to_thread(snapshot.document)
        digest = sha512(document)
        last = await self._store.find_signed(snapshot.name)
        if last is not None:
            current = read_record(last.item, snapshot.name, last.item.seq / 1000)
            if current.document == digest and current.type == kind and not _is_due(last):
                return last.item
        blob = await asyncio.to_thread(pack, document)
        ref = await self._seeding.add_bytes(blob, sha512(blob), shared=True)
        record = Record(
            type=kind,
            name=snapshot.name,
            expiry=int(time.time()) + LIFETIME,
            snapshot=ref,
            document=digest,
            history_size=len(snapshot.history),
            history_root=history_root(snapshot.history),
            seeders=self._seeders(),
        )
        item = await self._put(record, last)
        if last is not None and last.snapshot != ref.sha512:
            await self._seeding.drop(last.snapshot)
        return item

    async def run(self) -> None:
        """Announce this node's records, and then every hour sign those anew that are a week old, until cancelled."""
        for record in await self._public():
            if not is_ahead(record.item.seq, time.time()):
                await self._announce(record.name, record.item)
        await self.renew_due()
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            await self.renew_due()

    async def renew_due(self) -> None:
        """Sign records anew that are a week old: those of own packages, and mirrored ones that the upstream has
        confirmed since."""
        for record in await self._public():
            if _is_due(record):
                await self._renew(record)

    async def _public(self) -> list[SignedRecord]:
        return [record for record in await self._store.list_signed() if self._access.is_public(record.name)]

    async def _renew(self, last: SignedRecord) -> None:
        old = read_record(last.item, last.name, last.item.seq / 1000)
        if old.type == "mirror" and not await self._is_confirmed(last):
            return  # a mirror's record expires unless the upstream has confirmed the packument since it was signed
        renewed = replace(old, expiry=int(time.time()) + LIFETIME, seeders=self._seeders())
        try:
            await self._put(renewed, last)
        except LibreseedError as error:
            log.warning("The record of %s could not be signed anew: %s", last.name, error)

    async def _is_confirmed(self, record: SignedRecord) -> bool:
        stored = await self._packuments.find(record.name)
        return stored is not None and stored.origin == UPSTREAM and stored.checked > record.signed

    async def _put(self, record: Record, last: SignedRecord | None) -> SignedItem:
        now = time.time()
        if last is not None and is_ahead(last.item.seq, now):
            log.warning(
                "The clock of this machine was ahead when the record of %s was signed, for which others refuse it;"
                " it is made anew.",
                record.name,
            )
        item = sign_record(self._key, record, next_seq(now, last.item.seq if last else None))
        await self._store.save_signed(SignedRecord(record.name, item, record.snapshot.sha512, now))
        await self._announce(record.name, item)
        return item

    async def _announce(self, name: str, item: SignedItem) -> None:
        try:
            holders = await self._overlay.store_record(name, item)
            log.info("The record of %s is held by %d other nodes.", name, holders)
        except LibreseedError as error:
            log.warning("The record of %s could not be announced: %s", name, error)


def _is_due(record: SignedRecord) -> bool:
    return not is_recent(record.signed, RESIGN_AFTER)
