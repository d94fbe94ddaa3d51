import asyncio
import sqlite3
import stat
import threading
from collections.abc import Callable
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


async def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """There are secrets in it, of second factors for one."""
    database = await Database.open(tmp_path / "state" / "b.db")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    await database.close()


@pytest.mark.parametrize("error", [ValueError, sqlite3.IntegrityError])
async def test_a_failed_transaction_leaves_nothing(database: Database, error: type[Exception]) -> None:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO state VALUES ('a', 'b')")
        raise error("halfway")

    with pytest.raises(StoreError if error is sqlite3.IntegrityError else ValueError, match="halfway"):
        await database.run(write)
    assert await count(database) == 0


async def test_what_is_handed_over_together_fails_apart(database: Database) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO state VALUES ('half', 'b')")
        raise ValueError("halfway")

    def insert(key: str) -> Callable[[sqlite3.Connection], object]:
        return lambda connection: connection.execute("INSERT INTO state VALUES (?, 'b')", (key,))

    jobs = [insert("a"), broken, insert("b"), insert("a"), insert("c")]
    outcomes = await asyncio.gather(*(database.run(job) for job in jobs), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [ValueError, StoreError]
    assert await database.rows("SELECT key FROM state ORDER BY key") == [("a",), ("b",), ("c",)]


async def test_what_cannot_be_committed_fails_alone(database: Database) -> None:
    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO tarballs VALUES ('a', 'a-1.0.0.tgz', ?)", (bytes(64),))

    gate = threading.Event()
    first = asyncio.create_task(database.run(lambda _: gate.wait(60)))
    await asyncio.sleep(0)
    together = asyncio.gather(
        database.execute("INSERT INTO state VALUES ('a', 'b')"), database.run(orphan), return_exceptions=True
    )
    await asyncio.sleep(0)
    gate.set()
    assert await first
    assert [type(outcome) for outcome in await together] == [type(None), StoreError]
    assert await count(database) == 1


async def test_many_changes_at_once_are_few_commits(database: Database) -> None:
    commits: list[str] = []

    def trace(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)

    await database.run(trace)
    commits.clear()
    await asyncio.gather(*(database.execute("INSERT INTO state VALUES (?, 'b')", str(n)) for n in range(100)))
    assert await count(database) == 100
    assert len(commits) <= 3


async def test_what_was_handed_over_before_the_end_is_kept(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "b.db")
    writing = asyncio.create_task(database.execute("INSERT INTO state VALUES ('a', 'b')"))
    await asyncio.sleep(0)
    await database.close()
    await writing
    with pytest.raises(RuntimeError):
        await count(database)
    database = await Database.open(tmp_path / "b.db")
    assert await count(database) == 1
    await database.close()


async def test_wrong_sql_is_a_store_error(database: Database) -> None:
    with pytest.raises(StoreError, match="failed: no such table"):
        await database.execute("DELETE FROM nowhere")


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await database.execute("INSERT INTO tarballs VALUES ('a', 'a-1.0.0.tgz', ?, '')", bytes(64))


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
