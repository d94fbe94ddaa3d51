"""Packages published on this node: their packuments, torrents and release histories."""

import sqlite3
from typing import Any

import orjson

from libreseed.packages.packument import maintainers_of
from libreseed.store.database import Database
from libreseed.trust.history import Event
from libreseed.trust.snapshot import Snapshot, TorrentRef


class PublicationStore:
    """The tables `publications` and `history`; the names are also kept in memory. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: set[str] = set()

    async def open(self) -> None:
        """Load the names."""
        self._names = {row[0] for row in await self._database.rows("SELECT name FROM publications")}

    def has(self, name: str) -> bool:
        """Tell whether `name` was published here."""
        return name in self._names

    @property
    def names(self) -> list[str]:
        """The names published here."""
        return sorted(self._names)

    async def find(self, name: str) -> Snapshot | None:
        """Return the package with its whole history, or None."""

        def read(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            row = connection.execute("SELECT packument, torrents FROM publications WHERE name = ?", (name,)).fetchone()
            events = connection.execute("SELECT event FROM history WHERE name = ? ORDER BY position", (name,))
            return (*row, [event for (event,) in events]) if row else None

        found = await self._database.run(read)
        if found is None:
            return None
        packument, torrents, events = found
        return Snapshot(
            orjson.loads(packument),
            {
                version: TorrentRef(bytes.fromhex(v1), bytes.fromhex(v2), length)
                for version, (v1, v2, length) in orjson.loads(torrents).items()
            },
            tuple(Event.from_json(orjson.loads(event)) for event in events),
        )

    async def list_maintainers(self) -> list[tuple[str, list[str]]]:
        """Return the names published here, sorted, each with its maintainers."""
        rows = await self._database.rows(
            "SELECT name, CAST(packument AS TEXT) -> '$.maintainers' FROM publications ORDER BY name"
        )
        return [(name, maintainers_of({"maintainers": orjson.loads(people or "[]")})) for name, people in rows]

    async def save(self, snapshot: Snapshot, known_events: int) -> None:
        """Save a package, and append its events after the first `known_events` to the stored history."""
        torrents = {version: (ref.v1.hex(), ref.v2.hex(), ref.length) for version, ref in snapshot.torrents.items()}

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO publications VALUES (?, ?, ?)",
                (snapshot.name, orjson.dumps(snapshot.packument), orjson.dumps(torrents)),
            )
            connection.executemany(
                "INSERT INTO history VALUES (?, ?, ?)",
                [
                    (snapshot.name, position, event.encode())
                    for position, event in enumerate(snapshot.history)
                    if position >= known_events
                ],
            )

        await self._database.run(write, durable=True)
        self._names.add(snapshot.name)
