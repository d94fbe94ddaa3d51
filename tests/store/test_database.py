import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from libreseed.errors import StoreError
from libreseed.store.database import Database


async def count(database: Database) -> int:
    row = await database.row("SELECT count(*) FROM state")
    assert row is not None
    return int(row[0])


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a" / "b.db")
    await database.execute("INSERT INTO state VALUES (?, ?)", "key", b"value")
    await database.close()
    database = await Database.open(tmp_path / "a" / "b.db")
    assert await database.rows("SELECT * FROM state") == [("key", b"value")]
    assert await database.row("SELECT * FROM state WHERE key = 'other'") is None
    await database.close()


@pytest.mark.parametrize("error", [ValueError, sqlite3.IntegrityError])
async def test_a_failed_transaction_leaves_nothing(database: Database, error: type[Exception]) -> None:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO state VALUES ('a', 'b')")
        raise error("halfway")

    with pytest.raises(StoreError if error is sqlite3.IntegrityError else ValueError, match="halfway"):
        await database.run(write)
    assert await count(database) == 0


async def test_wrong_sql_is_a_store_error(database: Database) -> None:
    with pytest.raises(StoreError, match="failed: no such table"):
        await database.execute("DELETE FROM nowhere")


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await database.execute("INSERT INTO tarballs VALUES ('a', 'a-1.0.0.tgz', ?)", bytes(64))


async def test_functions_run_one_after_another_beside_the_event_loop(database: Database) -> None:
    running: list[int] = []
    names: set[str] = set()

    def work(_: sqlite3.Connection) -> int:
        running.append(1)
        names.add(threading.current_thread().name)
        most = len(running)
        running.pop()
        return most

    assert set(await asyncio.gather(*(database.run(work) for _ in range(20)))) == {1}
    assert len(names) == 1
    assert threading.current_thread().name not in names


async def test_readers_need_not_wait_for_a_writer(database: Database) -> None:
    """The write-ahead log lets `libreseed doctor` look into the store of a running node."""
    assert await database.row("PRAGMA journal_mode") == ("wal",)


async def test_not_a_database(tmp_path: Path) -> None:
    file = tmp_path / "libreseed.db"
    file.write_bytes(b"This is no database. " * 100)
    with pytest.raises(StoreError, match=r"libreseed\.db failed: file is not a database"):
        await Database.open(file)
    assert file.read_bytes().startswith(b"This")


@pytest.mark.parametrize("place", ["file/libreseed.db", "folder"])
async def test_no_place_for_it(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        await Database.open(tmp_path / place)


async def test_migrations_run_once(database: Database, tmp_path: Path) -> None:
    version = await database.row("PRAGMA user_version")
    assert version is not None
    assert version[0] >= 1
    second = await Database.open(database.path)
    assert await second.row("PRAGMA user_version") == version
    await second.close()


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "libreseed.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        await Database.open(file)
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
