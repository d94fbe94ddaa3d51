"""The SQLite database: one file, write-ahead log, one connection on one thread of its own.

The event loop never waits for the disk: callers queue a function and await its result. Functions run one after
another. Those that were queued while the thread was busy share one transaction, so that hundreds of small changes need
one commit; each has a savepoint of its own, to which it is rolled back if it fails.

A commit is in the log, but not on the disk, when its functions end: most of what is written can be had again. What is
`durable` survives a power cut as well.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from libreseed.errors import StoreError
from libreseed.store.durability import sync_to_disk
from libreseed.store.files import keep_private
from libreseed.store.migrations import migrate

T = TypeVar("T")
Row = tuple[Any, ...]

_BUSY_SECONDS = 10.0


class Database:
    """An open database. Make one with `Database.open`, end it with `close`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self.path = path
        self._connection = connection
        self._thread = thread
        self._waiting: list[_Job[Any]] = []
        self._working: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the database and bring its tables up to date.

        Raises StoreError: not a database, written by a newer version, locked for 10 s, or not writable.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="libreseed-database")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(path, connection, thread)

    async def run(self, function: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """Run `function(connection)` on the database's thread; when it fails, its changes are rolled back. With
        `durable`, its changes are on the disk when this returns.

        Raises StoreError for an error of SQLite's, and what `function` raises.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Job(function, result, durable))
        if self._working is None:
            self._working = loop.create_task(self._work())
        return await result

    async def execute(self, sql: str, *values: object, durable: bool = False) -> None:
        """Run one statement that writes; `durable` as for `run`. Raises StoreError."""
        await self.run(lambda connection: connection.execute(sql, values), durable=durable)

    async def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query. Raises StoreError."""
        return await self.run(lambda connection: connection.execute(sql, values).fetchall())

    async def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None. Raises StoreError."""
        return await self.run(lambda connection: connection.execute(sql, values).fetchone())

    async def close(self) -> None:
        """Run what is queued, then close."""
        if self._working is not None:
            await self._working
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    async def _work(self) -> None:
        """Run the queue, a transaction for all that is in it at a time, until it is empty."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                jobs, self._waiting = self._waiting, []
                try:
                    await loop.run_in_executor(self._thread, self._transact, jobs)
                except RuntimeError as error:  # the database is closed
                    for job in jobs:
                        job.error = error
                for job in jobs:
                    job.settle(self.path)
        finally:
            self._working = None

    def _transact(self, jobs: Sequence["_Job[Any]"]) -> None:
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                for job in jobs:
                    self._connection.execute("SAVEPOINT job")
                    if not job.run(self._connection):
                        self._connection.execute("ROLLBACK TO job")
                    self._connection.execute("RELEASE job")
        except sqlite3.Error as error:  # the whole transaction was rolled back
            if len(jobs) == 1:
                jobs[0].error = jobs[0].error or error
                return
            for job in jobs:  # each alone: on a full disk those that only read must not fail with those that write
                job.reset()
                self._transact([job])
            return
        durable = [job for job in jobs if job.durable and job.error is None]
        if durable:
            try:
                _sync(self.path)
            except OSError as error:
                for job in durable:
                    job.error = error


class _Job(Generic[T]):
    """A queued function, and the future that gets what it returns or raises."""

    def __init__(self, function: Callable[[sqlite3.Connection], T], result: "asyncio.Future[T]", durable: bool) -> None:
        self.result = result
        self.durable = durable
        self.error: Exception | None = None
        self._function = function
        self._outcome: list[T] = []

    def run(self, connection: sqlite3.Connection) -> bool:
        """Run the function, on the database's thread; return whether it succeeded."""
        try:
            self._outcome.append(self._function(connection))
        except Exception as error:
            self.error = error
        return self.error is None

    def reset(self) -> None:
        """Drop the outcome of a run that was rolled back."""
        self.error = None
        self._outcome.clear()

    def settle(self, path: Path) -> None:
        """Give the outcome to the future, on the event loop."""
        if self.result.done():
            return
        if self.error is None:
            self.result.set_result(self._outcome[0])
        elif isinstance(self.error, sqlite3.Error | OSError):
            error = _store_error(path, self.error)
            error.__cause__ = self.error
            self.result.set_exception(error)
        else:
            self.result.set_exception(self.error)


def _sync(path: Path) -> None:
    """Wait until what was committed is on the disk (blocking): the log, and that it is there. Raises OSError."""
    for place in (path.with_name(f"{path.name}-wal"), path.parent):
        if place.exists():
            sync_to_disk(place)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        keep_private(path.parent)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _store_error(path, error) from error
    except OSError as error:
        raise StoreError(f"Cannot open {path}: {error.strerror}.", hint="Choose another --root.") from error
    return connection


def _store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    return StoreError(
        f"The database {path} failed: {error}.",
        hint="Check the free space and the permissions there; `libreseed doctor` tells more.",
    )
