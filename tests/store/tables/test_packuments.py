import sqlite3
from dataclasses import replace

import pytest

from libreseed.store.database import Database
from libreseed.store.tables import packuments
from libreseed.store.tables.packuments import UPSTREAM, PackumentStore, StoredPackument, mirror_origin, publisher_origin

ONE = StoredPackument(
    "pkg", UPSTREAM, b'{"name":"pkg"}' * 99, {"1.0.0": ["00", "11", 5]}, '"etag"', "yesterday", True, 5.5
)


async def test_what_is_saved_is_found(database: Database) -> None:
    store = PackumentStore(database)
    assert await store.find("pkg") is None
    await store.save(ONE)
    assert await store.find("pkg") == ONE
    assert await PackumentStore(database).find("pkg") == ONE


async def test_a_newer_one_takes_its_place(database: Database) -> None:
    store = PackumentStore(database)
    newer = replace(ONE, body=b"{}", etag=None, restricted=False)
    await store.save(ONE)
    await store.save(newer)
    assert await store.find("pkg") == newer
    assert await PackumentStore(database).find("pkg") == newer


async def test_confirm(database: Database) -> None:
    store = PackumentStore(database)
    await store.save(ONE)
    await store.confirm("pkg", 9.0)
    await store.confirm("other", 9.0)
    assert await store.find("pkg") == replace(ONE, checked=9.0)
    assert await PackumentStore(database).find("pkg") == replace(ONE, checked=9.0)


async def test_memory_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packuments, "_RECENT_BYTES", 3 * len(ONE.body))
    store = PackumentStore(database)
    names = [f"pkg{number}" for number in range(10)]
    for name in names:
        await store.save(replace(ONE, name=name))
        await store.find(names[0])
    asked: list[str] = []

    def trace(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda sql: asked.append(sql) if sql.startswith("SELECT") else None)

    await database.run(trace)
    for name in ("pkg8", "pkg9", "pkg0"):
        await store.find(name)
    assert not asked, "what was asked for last stays"
    await store.find("pkg7")
    assert asked
    for name in names:
        assert await store.find(name) == replace(ONE, name=name)


def test_origins_differ() -> None:
    assert len({UPSTREAM, *(origin(key) for origin in (publisher_origin, mirror_origin) for key in (b"a", b"b"))}) == 5
