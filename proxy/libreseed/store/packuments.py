"""Packuments that came from the upstream, a publisher or a mirror."""

import asyncio
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from libreseed.store.database import Database

UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class StoredPackument:
    """A packument as JSON bytes, and where it came from.

    `origin` is "upstream" or the text of a key; `torrents` is the snapshot's, by version, each `(v1, v2, length)`
    in hex; `checked` is when its source last confirmed it, in seconds since the epoch.
    """

    name: str
    origin: str
    body: bytes
    torrents: dict[str, Any]
    etag: str | None
    last_modified: str | None
    restricted: bool
    checked: float


class PackumentStore:
    """The table `packuments`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str) -> StoredPackument | None:
        """Return the packument of `name`, or None."""
        row = await self._database.row(
            "SELECT origin, body, torrents, etag, last_modified, restricted, checked FROM packuments WHERE name = ?",
            name,
        )
        if row is None:
            return None
        origin, packed, torrents, etag, last_modified, restricted, checked = row
        body = await asyncio.to_thread(zlib.decompress, packed)
        return StoredPackument(
            name, origin, body, orjson.loads(torrents), etag, last_modified, bool(restricted), checked
        )

    async def save(self, packument: StoredPackument) -> None:
        """Keep a packument in place of an earlier one."""
        packed = await asyncio.to_thread(zlib.compress, packument.body, 1)
        await self._database.execute(
            "INSERT OR REPLACE INTO packuments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            packument.name,
            packument.origin,
            packed,
            orjson.dumps(packument.torrents),
            packument.etag,
            packument.last_modified,
            packument.restricted,
            packument.checked,
        )

    async def confirm(self, name: str, checked: float) -> None:
        """Note that the packument of `name` was found unchanged at its source."""
        await self._database.execute("UPDATE packuments SET checked = ? WHERE name = ?", checked, name)

    async def remove(self, name: str) -> None:
        """Forget the packument of `name`."""
        await self._database.execute("DELETE FROM packuments WHERE name = ?", name)
