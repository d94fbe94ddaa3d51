"""What this node has measured of those who seed to it, kept over restarts."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from libreseed.store.database import Database


class SeederRow(NamedTuple):
    """A peer by its BitTorrent endpoint: bytes of it that were right, how often it lied, and when that was saved
    (seconds since the epoch)."""

    ip: str
    port: int
    verified: float
    lies: float
    saved_at: float


class SeederStore:
    """The measured peers in the database. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[SeederRow]:
        """Return all that was saved last, in no order."""
        rows = await self._database.rows("SELECT ip, port, verified, lies, saved_at FROM seeders")
        return [SeederRow(*row) for row in rows]

    async def save(self, seeders: Sequence[SeederRow]) -> None:
        """Save these in place of all earlier ones."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM seeders")
            connection.executemany("INSERT OR REPLACE INTO seeders VALUES (?, ?, ?, ?, ?)", seeders)

        await self._database.run(write)
