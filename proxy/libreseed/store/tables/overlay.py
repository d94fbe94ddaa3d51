"""The overlay's state that is kept over restarts: records of others, evidence, contacts and the node's id."""

import sqlite3
from collections.abc import Sequence

from libreseed.store.database import Database


class OverlayStore:
    """The overlay's storage in the database. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load_records(self) -> Sequence[tuple[str, bytes]]:
        """Return the (key text, encoded item) of every record."""
        return [(row[0], row[1]) for row in await self._database.rows("SELECT key_text, item FROM overlay_records")]

    async def save_record(self, key_text: str, publisher: bytes, item: bytes) -> None:
        """Save a record in place of an earlier one of the same key text and publisher."""
        await self._database.execute(
            "INSERT OR REPLACE INTO overlay_records VALUES (?, ?, ?)", key_text, publisher, item
        )

    async def remove_record(self, key_text: str, publisher: bytes) -> None:
        """Delete the record of a key text and publisher."""
        await self._database.execute(
            "DELETE FROM overlay_records WHERE key_text = ? AND publisher = ?", key_text, publisher
        )

    async def save_evidence(self, key_text: str, publisher: bytes, first: bytes, second: bytes) -> None:
        """Save two items that one publisher signed with the same seq, unless such a pair is saved already."""
        await self._database.execute(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)", key_text, publisher, first, second
        )

    async def load_contacts(self) -> Sequence[tuple[str, int, int]]:
        """Return the contacts of the last session."""
        return [(ip, port, p2p) for ip, port, p2p in await self._database.rows("SELECT * FROM contacts")]

    async def save_contacts(self, contacts: Sequence[tuple[str, int, int]]) -> None:
        """Save these contacts in place of all earlier ones."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM contacts")
            connection.executemany("INSERT OR REPLACE INTO contacts VALUES (?, ?, ?)", contacts)

        await self._database.run(write)

    async def load_node_id(self) -> bytes | None:
        """Return the 20-byte id of this node, or None before the first start."""
        row = await self._database.row("SELECT value FROM state WHERE key = 'node_id'")
        return row[0] if row else None

    async def save_node_id(self, node_id: bytes) -> None:
        """Save the 20-byte id of this node."""
        await self._database.execute("INSERT OR REPLACE INTO state VALUES ('node_id', ?)", node_id)
