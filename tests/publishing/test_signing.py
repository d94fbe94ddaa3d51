"""Records of a real store, seeded by a real session and put into a real overlay."""

import time
from dataclasses import replace
from typing import Any

import pytest

from libreseed.store.tables.packuments import UPSTREAM, StoredPackument
from libreseed.trust.history import Event
from libreseed.trust.records import LIFETIME, RESIGN_AFTER, read_record
from libreseed.trust.snapshot import Snapshot, read_snapshot
from publishing.conftest import Desk

PACKUMENT: dict[str, Any] = {"name": "pkg", "versions": {}, "dist-tags": {}}
FIRST = Snapshot(PACKUMENT, {}, (Event("publish", 1, {"version": "1.0.0"}),))
SECOND = Snapshot(PACKUMENT, {}, (*FIRST.history, Event("publish", 2, {"version": "2.0.0"})))


async def test_a_signed_snapshot_can_be_read(desk: Desk) -> None:
    now = time.time()
    item = await desk.signer.sign("package", FIRST)
    record = read_record(item, "pkg", now)
    assert now + LIFETIME - 2 <= record.expiry <= now + LIFETIME + 60
    assert len(record.seeders) == 1
    file = desk.seeding.path(record.snapshot.sha512)
    assert read_snapshot(file.read_bytes(), record) == FIRST
    assert await desk.overlay.find_records("pkg") == [item]


async def test_nothing_new_is_not_signed_again(desk: Desk) -> None:
    item = await desk.signer.sign("package", FIRST)
    assert await desk.signer.sign("package", FIRST) == item
    assert await desk.signer.sign("mirror", FIRST) != item


async def test_a_new_snapshot_takes_the_place_of_the_old(desk: Desk) -> None:
    first = await desk.signer.sign("package", FIRST)
    second = await desk.signer.sign("package", SECOND)
    assert second.seq > first.seq
    old, new = (read_record(item, "pkg", time.time()).snapshot for item in (first, second))
    assert desk.seeding.find(old.sha512) is None
    assert desk.seeding.find(new.sha512) == new
    assert await desk.overlay.find_records("pkg") == [second]


async def test_a_record_is_signed_anew_in_time(desk: Desk) -> None:
    first = await desk.signer.sign("package", FIRST)
    signed = await desk.records.find_signed("pkg")
    assert signed is not None
    await desk.records.save_signed(replace(signed, signed=signed.signed - RESIGN_AFTER - 1))
    second = await desk.signer.sign("package", FIRST)
    assert second.seq > first.seq
    assert read_record(second, "pkg", time.time()).snapshot == read_record(first, "pkg", time.time()).snapshot
    assert desk.seeding.find(signed.snapshot) is not None, "the snapshot that both point to stays"


async def test_a_record_that_was_signed_while_the_clock_was_ahead_is_made_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everybody refuses it, as from the future."""
    tomorrow = time.time() + 86400
    with monkeypatch.context() as ahead:
        ahead.setattr("time.time", lambda: tomorrow)
        first = await desk.signer.sign("package", FIRST)
    await desk.signer.renew_due()
    signed = await desk.records.find_signed("pkg")
    assert signed is not None
    assert signed.item.seq < first.seq
    assert read_record(signed.item, "pkg", time.time()).snapshot.sha512 == signed.snapshot
    assert await desk.overlay.find_records("pkg") == [signed.item]
    assert "The clock of this machine was ahead when the record of pkg was signed" in caplog.text


async def test_no_seq_is_used_twice(desk: Desk) -> None:
    items = [await desk.signer.sign("package", snapshot) for snapshot in (FIRST, SECOND, FIRST, SECOND)]
    assert len({item.seq for item in items}) == 4
    assert items == sorted(items, key=lambda item: item.seq)


async def test_a_mirror_renews_only_what_the_upstream_has_confirmed(desk: Desk) -> None:
    await desk.signer.sign("mirror", Snapshot(PACKUMENT))
    signed = await desk.records.find_signed("pkg")
    assert signed is not None
    due = replace(signed, signed=signed.signed - RESIGN_AFTER - 1)
    await desk.records.save_signed(due)
    await desk.signer.renew_due()
    assert await desk.records.find_signed("pkg") == due

    confirmed = StoredPackument("pkg", UPSTREAM, b"{}", {}, None, None, False, due.signed + 1)
    await desk.packuments.save(confirmed)
    await desk.signer.renew_due()
    renewed = await desk.records.find_signed("pkg")
    assert renewed is not None
    assert renewed.item.seq > due.item.seq
