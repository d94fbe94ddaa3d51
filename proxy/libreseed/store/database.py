"""The SQLite database: one file, write-ahead log, one connection on one thread of its own.

The event loop never waits for the disk: callers hand over a function and await its result. Functions run one
after another, each in a transaction of its own.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from libreseed.errors import StoreError
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

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Open or create the database and bring its tables up to date.

        Raises StoreError: not a database, written by a newer version, locked, or no place for it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="libreseed-database")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, _connect, path)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(path, connection, thread)

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function(connection)` on the database's thread, in one transaction. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, function)

    async def execute(self, sql: str, *values: object) -> None:
        """Run one statement that changes something."""
        await self.run(lambda connection: connection.execute(sql, values))

    async def rows(self, sql: str, *values: object) -> list[Row]:
        """Return all rows of a query."""
        return await self.run(lambda connection: connection.execute(sql, values).fetchall())

    async def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""
        return await self.run(lambda connection: connection.execute(sql, values).fetchone())

    async def close(self) -> None:
        """Finish what was handed over, then close."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _transact(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._connection:
                return function(self._connection)
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(
        f"The database {path} failed: {error}.",
        hint="Check the free space and the permissions there; `libreseed doctor` tells more.",
    )
