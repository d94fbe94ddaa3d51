"""Records as the overlay gives them, against what was seen before and whom the user trusts."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.metadata.records import FoundRecord, RecordReader
from libreseed.errors import (
    BadRecordError,
    EquivocationError,
    ExpiredError,
    LibreseedError,
    NotFoundError,
    RollbackError,
    UnavailableError,
    UnknownPublisherError,
)
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.records import RecordStore, SignedRecord
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import PrivateKey
from libreseed.trust.records import BlobRef, Record, RecordType, read_record, sign_record
from libreseed.trust.snapshot import MAX_DOCUMENT
from support.seeding import make_fetcher

A, B, C = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
KEYS = [key.public for key in (A, B, C)]
NOW = int(time.time())


def signed(
    key: PrivateKey = A,
    kind: RecordType = "package",
    *,
    document: bytes = b"d",
    seq: int = 0,
    expiry: int = 6 * 3600,
    length: int = 9,
) -> SignedItem:
    ref = BlobRef(bytes(20), bytes(32), length, bytes(64))
    record = Record(kind, "pkg", NOW + expiry, ref, document * 64)
    return sign_record(key, record, (NOW - 60) * 1000 + seq)


@dataclass
class Desk:
    reader: RecordReader
    fetcher: SwarmFetcher
    records: RecordStore
    database: Database
    overlay: Overlay
    other: Overlay

    async def put(self, *items: SignedItem) -> None:
        for item in items:
            await self.overlay.store_record("pkg", item)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        database = await Database.open(tmp_path / "libreseed.db")
        stack.push_async_callback(database.close)
        overlays = [Overlay(OverlaySettings(), MemoryStorage()) for _ in range(2)]
        for overlay in overlays:
            await overlay.start()
            stack.push_async_callback(overlay.stop)
        host, port = overlays[1].address
        await overlays[0].bootstrap([f"{host}:{port}"])
        blobs = BlobStore(tmp_path / ".swarm")
        session = Session(SessionSettings("127.0.0.1"))
        fetcher = make_fetcher(overlays[0], session, blobs, Catalogue(database))
        records = RecordStore(database)
        yield Desk(
            RecordReader(overlays[0], records, fetcher, fetcher.swarm.seeding), fetcher, records, database, *overlays
        )


async def test_the_record_of_the_pinned_publisher(desk: Desk) -> None:
    await desk.put(signed(B, seq=5), signed(A), signed(C, "mirror", seq=9))
    found = await desk.reader.by_publisher("pkg", A.public)
    assert found.item == signed(A)
    assert await desk.records.find_seen("pkg", A.public) == signed(A)
    with pytest.raises(NotFoundError, match="has published no record"):
        await desk.reader.by_publisher("pkg", C.public)


@pytest.mark.parametrize(
    ("seen", "offered", "error"),
    [
        (signed(seq=2), signed(seq=1), RollbackError),
        (signed(document=b"x"), signed(document=b"y"), EquivocationError),
    ],
)
async def test_refusals(desk: Desk, seen: SignedItem, offered: SignedItem, error: type[LibreseedError]) -> None:
    await desk.records.save_seen("pkg", seen)
    await desk.put(offered)
    with pytest.raises(error):
        await desk.reader.by_publisher("pkg", A.public)
    with pytest.raises((error, NotFoundError)):
        await desk.reader.by_mirrors("pkg", KEYS, 1)
    assert await desk.records.find_seen("pkg", A.public) == seen


async def test_an_expired_record(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.put(signed())
    monkeypatch.setattr("libreseed.delivery.metadata.records.time", SimpleNamespace(time=lambda: NOW + 7.0 * 3600))
    with pytest.raises(ExpiredError):
        await desk.reader.by_publisher("pkg", A.public)
    await desk.put(signed(B, expiry=8 * 3600))
    assert (await desk.reader.by_publisher("pkg", B.public)).item.key == B.public


async def test_what_was_seen_while_the_clock_was_ahead_counts_for_nothing(desk: Desk) -> None:
    await desk.records.save_seen("pkg", signed(document=b"x", seq=86_400_000))
    await desk.put(signed(document=b"y"))
    assert (await desk.reader.by_publisher("pkg", A.public)).item == signed(document=b"y")
    assert await desk.records.find_seen("pkg", A.public) == signed(document=b"y")


async def test_a_fork_is_kept_as_evidence(desk: Desk) -> None:
    one, other = signed(document=b"x"), signed(document=b"y")
    await desk.records.save_seen("pkg", one)
    await desk.put(other)
    with pytest.raises(EquivocationError):
        await desk.reader.by_publisher("pkg", A.public)
    assert await desk.database.rows("SELECT first, second FROM evidence") == [(one.encode(), other.encode())]


async def test_mirrors_that_agree(desk: Desk) -> None:
    await desk.put(signed(A, "mirror"), signed(B, "mirror", seq=3), signed(C, "mirror", document=b"o", seq=9))
    assert (await desk.reader.by_mirrors("pkg", KEYS, 2)).item.key == B.public
    assert (await desk.reader.by_mirrors("pkg", KEYS, 1)).item.key == C.public, "the newest"
    with pytest.raises(UnavailableError, match="no 3 of them agree"):
        await desk.reader.by_mirrors("pkg", KEYS, 3)
    with pytest.raises(UnavailableError, match="no 2 of them agree"):
        await desk.reader.by_mirrors("pkg", [A.public, C.public], 2)


async def test_a_publisher_is_no_mirror_and_no_stranger_counts(desk: Desk) -> None:
    await desk.put(signed(A, "package"), signed(B, "mirror"))
    with pytest.raises(NotFoundError, match="Nobody that you trust"):
        await desk.reader.by_mirrors("pkg", [A.public, C.public], 1)


async def test_strangers_are_named(desk: Desk) -> None:
    await desk.reader.refuse_unknown_publishers("pkg", mirrors=True)
    await desk.put(signed(B, "mirror"))
    await desk.reader.refuse_unknown_publishers("pkg", mirrors=False)
    with pytest.raises(UnknownPublisherError, match="trust mirror ed25519:"):
        await desk.reader.refuse_unknown_publishers("pkg", mirrors=True)
    await desk.put(signed(A))
    with pytest.raises(UnknownPublisherError, match="trust add 'pkg' ed25519:"):
        await desk.reader.refuse_unknown_publishers("pkg", mirrors=False)
    await desk.put(signed(C))
    with pytest.raises(UnknownPublisherError, match="2 keys"):
        await desk.reader.refuse_unknown_publishers("pkg", mirrors=False)


async def test_alone_nothing_is_certain(desk: Desk) -> None:
    await desk.other.stop()
    alone = Overlay(OverlaySettings(), MemoryStorage())
    await alone.start()
    reader = RecordReader(alone, desk.records, desk.fetcher, desk.fetcher.swarm.seeding)
    for ask in (reader.by_publisher("pkg", A.public), reader.by_mirrors("pkg", KEYS, 1)):
        with pytest.raises(UnavailableError, match="connected to no other"):
            await ask
    with pytest.raises(NotFoundError, match="connected to no other"):
        await reader.by_mirrors("pkg", (), 1)
    await alone.stop()


async def test_a_snapshot_that_is_too_long_is_not_fetched(desk: Desk) -> None:
    await desk.put(signed(length=MAX_DOCUMENT + 1))
    found = await desk.reader.by_publisher("pkg", A.public)
    with pytest.raises(UnavailableError, match="too long"):
        await desk.reader.snapshot(found)


async def test_a_record_cannot_make_us_delete_what_is_ours(desk: Desk) -> None:
    """It may name any blob as its snapshot, and be refused; the next record supersedes it all the same."""
    ours = sha512(b"ours")
    await desk.fetcher.swarm.blobs.open()
    ref = await desk.fetcher.swarm.seeding.add_bytes(b"ours", ours, shared=False)
    record = Record("package", "pkg", NOW + 3600, ref, b"d" * 64)
    await desk.put(sign_record(A, record, (NOW - 60) * 1000))
    found = await desk.reader.by_publisher("pkg", A.public)
    with pytest.raises(BadRecordError):
        await desk.reader.snapshot(found)
    await desk.put(signed(A, seq=1))
    found = await desk.reader.by_publisher("pkg", A.public)
    assert found.superseded == ours
    await desk.reader.drop_superseded(found)
    assert desk.fetcher.swarm.seeding.find(ours) == ref


async def test_what_came_as_a_snapshot_goes_when_it_is_superseded(desk: Desk) -> None:
    old, own = sha512(b"old"), sha512(b"own")
    await desk.fetcher.swarm.blobs.open()
    for data, digest in ((b"old", old), (b"own", own)):
        await desk.fetcher.swarm.seeding.add_bytes(data, digest, shared=False)
        await desk.records.note_fetched(digest)
    await desk.records.save_signed(SignedRecord("mine", signed(A), own, NOW))
    await desk.fetcher.swarm.session.start()
    for digest in (old, own):
        await desk.reader.drop_superseded(FoundRecord(signed(A), read_record(signed(A), "pkg", NOW), digest))
    await desk.fetcher.swarm.session.stop()
    assert desk.fetcher.swarm.seeding.find(old) is None
    assert desk.fetcher.swarm.seeding.find(own) is not None, "it is a snapshot of ours too"
