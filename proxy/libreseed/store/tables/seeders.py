"""What this node has measured of those who seed to it, kept over restarts."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from libreseed.store.database import Database


class SeederRow(NamedTuple):
    """A peer by its BitTorrent endpoint, when this was saved (seconds since the epoch), and what was `measured`:
    verified bytes, failures, lies, looks, times that it was up, latency in seconds."""

    ip: str
    port: int
    saved_at: float
    measured: tuple[float, ...]


_LOAD = "SELECT ip, port, saved_at, verified, failed, lies, looks, up, latency FROM seeders"
_SAVE = """
    INSERT INTO seeders (ip, port, saved_at, verified, failed, lies, looks, up, latency)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class SeederStore:
    """The measured peers in the database. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[SeederRow]:
        """Return all that was saved last, in no order."""
        rows = await self._database.rows(_LOAD)
        return [SeederRow(ip, port, saved_at, tuple(measured)) for ip, port, saved_at, *measured in rows]

    async def save(self, seeders: Sequence[SeederRow]) -> None:
        """Save these in place of all earlier ones."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM seeders")
            rows = [(each.ip, each.port, each.saved_at, *each.measured) for each in seeders]
            connection.executemany(_SAVE, rows)

        await self._database.run(write)
