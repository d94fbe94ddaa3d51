"""Records signed by this node, the newest ones accepted from others, and evidence of equivocation."""

import sqlite3
from dataclasses import dataclass

from libreseed.store.database import Database
from libreseed.trust.items import SignedItem


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record signed by this node: its item, the SHA-512 of the snapshot's blob, and when it was signed, in seconds
    since the epoch."""

    name: str
    item: SignedItem
    snapshot: bytes
    signed: float


class RecordStore:
    """The tables `signed_records`, `seen_records` and `evidence`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_signed(self, name: str) -> SignedRecord | None:
        """Return this node's record of `name`, or None."""
        row = await self._database.row("SELECT item, snapshot, signed FROM signed_records WHERE name = ?", name)
        return SignedRecord(name, SignedItem.decode(row[0]), row[1], row[2]) if row else None

    async def list_signed(self) -> list[SignedRecord]:
        """Return all records of this node."""
        rows = await self._database.rows("SELECT name, item, snapshot, signed FROM signed_records ORDER BY name")
        return [SignedRecord(name, SignedItem.decode(item), snapshot, signed) for name, item, snapshot, signed in rows]

    async def save_signed(self, record: SignedRecord) -> None:
        """Save this node's record of a name in place of an earlier one."""
        await self._database.execute(
            "INSERT OR REPLACE INTO signed_records VALUES (?, ?, ?, ?)",
            record.name,
            record.item.encode(),
            record.snapshot,
            record.signed,
        )

    async def is_signed_snapshot(self, digest: bytes) -> bool:
        """Tell whether the blob with this SHA-512 is the snapshot of one of this node's records."""
        return await self._database.row("SELECT 1 FROM signed_records WHERE snapshot = ?", digest) is not None

    async def note_fetched(self, digest: bytes) -> None:
        """Save that the blob with this SHA-512 came here as the snapshot of a record."""
        await self._database.execute("INSERT OR IGNORE INTO fetched_snapshots VALUES (?)", digest)

    async def forget_fetched(self, digest: bytes) -> bool:
        """Forget that; tell whether it was so."""

        def write(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM fetched_snapshots WHERE sha512 = ?", (digest,)).rowcount > 0

        return await self._database.run(write)

    async def find_seen(self, name: str, publisher: bytes) -> SignedItem | None:
        """Return the newest item accepted of `name` by `publisher`, or None (docs/protocol.md, section 4)."""
        row = await self._database.row(
            "SELECT item FROM seen_records WHERE name = ? AND publisher = ?", name, publisher
        )
        return SignedItem.decode(row[0]) if row else None

    async def list_seen(self) -> list[tuple[str, SignedItem]]:
        """Return the newest items accepted from others, each with its package name."""
        rows = await self._database.rows("SELECT name, item FROM seen_records")
        return [(name, SignedItem.decode(item)) for name, item in rows]

    async def save_seen(self, name: str, item: SignedItem) -> None:
        """Save the newest item accepted of `name` from its signer."""
        await self._database.execute(
            "INSERT OR REPLACE INTO seen_records VALUES (?, ?, ?)", name, item.key, item.encode()
        )

    async def save_evidence(self, key_text: str, first: SignedItem, second: SignedItem) -> None:
        """Save two items that one key signed with the same seq."""
        await self._database.execute(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)",
            key_text,
            first.key,
            first.encode(),
            second.encode(),
        )
