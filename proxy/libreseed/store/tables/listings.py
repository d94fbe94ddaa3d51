"""The full text index (SQLite's FTS5) of the packages in the store, for search.

Triggers collect the names whose packument has changed. They are indexed when somebody searches, so that installs are
not slowed down.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from libreseed.packages.listing import Listing, list_package
from libreseed.packages.partial import read_versions_lazily
from libreseed.store.database import Database
from libreseed.store.packing import unpack

_COLUMNS = ("name", "description", "keywords", "maintainers")


@dataclass(frozen=True, slots=True)
class Found:
    """One match. `origin` is the packument's, None for a package published here; `package` as in `Listing`."""

    name: str
    origin: str | None
    restricted: bool
    package: dict[str, Any]


class ListingStore:
    """The tables `listings`, `search` and `unlisted`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self, batch: int = 8) -> bool:
        """Index up to `batch` changed packages. Return whether there are more."""
        return await self._database.run(lambda connection: _update(connection, batch))

    async def find(self, terms: list[tuple[str | None, str]], limit: int) -> list[Found]:
        """Return at most `limit` packages that match all terms `(column, text)`: exact names first, then by FTS5's
        rank.

        A term matches words that begin with it, in any column when its column is None. Without terms every package
        matches, in order of name.
        """
        if terms:
            rows = await self._database.rows(
                "SELECT l.name, l.origin, l.restricted, l.package FROM search JOIN listings l ON l.id = search.rowid"
                " WHERE search MATCH ? ORDER BY l.name NOT IN (SELECT value FROM json_each(?)),"
                " bm25(search, 10.0, 2.0, 4.0, 1.0), l.name LIMIT ?",
                " AND ".join(_quoted(column, text) for column, text in terms),
                orjson.dumps([text for _, text in terms]).decode(),
                limit,
            )
        else:
            rows = await self._database.rows(
                "SELECT name, origin, restricted, package FROM listings ORDER BY name LIMIT ?", limit
            )
        return [
            Found(name, origin, bool(restricted), orjson.loads(package)) for name, origin, restricted, package in rows
        ]

    async def restricted(self, names: list[str]) -> set[str]:
        """Return those of the names that are known to be restricted."""
        rows = await self._database.rows(
            "SELECT name FROM packuments WHERE restricted AND name IN (SELECT value FROM json_each(?))",
            orjson.dumps(names).decode(),
        )
        return {name for (name,) in rows}


def _quoted(column: str | None, text: str) -> str:
    phrase = '"' + text.replace("\0", " ").replace('"', '""') + '"*'  # FTS5 reads no further than a NUL
    return f"{column} : {phrase}" if column in _COLUMNS else phrase


def _update(connection: sqlite3.Connection, batch: int) -> bool:
    names = [name for (name,) in connection.execute("SELECT name FROM unlisted LIMIT ?", (batch,))]
    for name in names:
        listing, origin, restricted = _read(connection, name)
        old = connection.execute("DELETE FROM listings WHERE name = ? RETURNING id", (name,)).fetchall()
        connection.executemany("DELETE FROM search WHERE rowid = ?", old)
        if listing is not None:
            row = connection.execute(
                "INSERT INTO listings (name, origin, restricted, package) VALUES (?, ?, ?, ?)",
                (name, origin, restricted, orjson.dumps(listing.package)),
            )
            connection.execute(
                "INSERT INTO search (rowid, name, description, keywords, maintainers) VALUES (?, ?, ?, ?, ?)",
                (row.lastrowid, name, listing.description, listing.keywords, listing.maintainers),
            )
        connection.execute("DELETE FROM unlisted WHERE name = ?", (name,))
    return len(names) == batch


def _read(connection: sqlite3.Connection, name: str) -> tuple[Listing | None, str | None, bool]:
    own = connection.execute("SELECT packument FROM publications WHERE name = ?", (name,)).fetchone()
    if own is not None:
        return list_package(orjson.loads(own[0])), None, False
    row = connection.execute("SELECT body, origin, restricted FROM packuments WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None, None, False
    return list_package(read_versions_lazily(unpack(row[0]))), row[1], bool(row[2])
