"""Records signed here, and the newest ones seen of others."""

from dataclasses import dataclass

from libreseed.store.database import Database
from libreseed.trust.items import SignedItem


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record of our own: its item, the SHA-512 of the snapshot it points to, and when it was signed."""

    name: str
    item: SignedItem
    snapshot: bytes
    signed: float


class RecordStore:
    """The tables `signed_records`, `seen_records` and `evidence`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_signed(self, name: str) -> SignedRecord | None:
        """Return our own record of `name`."""
        row = await self._database.row("SELECT item, snapshot, signed FROM signed_records WHERE name = ?", name)
        return SignedRecord(name, SignedItem.decode(row[0]), row[1], row[2]) if row else None

    async def list_signed(self) -> list[SignedRecord]:
        """Return all our own records."""
        rows = await self._database.rows("SELECT name, item, snapshot, signed FROM signed_records ORDER BY name")
        return [SignedRecord(name, SignedItem.decode(item), snapshot, signed) for name, item, snapshot, signed in rows]

    async def save_signed(self, record: SignedRecord) -> None:
        """Keep our own record of a name in place of an earlier one."""
        await self._database.execute(
            "INSERT OR REPLACE INTO signed_records VALUES (?, ?, ?, ?)",
            record.name,
            record.item.encode(),
            record.snapshot,
            record.signed,
        )

    async def find_seen(self, name: str, publisher: bytes) -> SignedItem | None:
        """Return the newest item seen of `name` by `publisher`."""
        row = await self._database.row(
            "SELECT item FROM seen_records WHERE name = ? AND publisher = ?", name, publisher
        )
        return SignedItem.decode(row[0]) if row else None

    async def list_seen(self) -> list[tuple[str, SignedItem]]:
        """Return the newest items seen of others, with their names."""
        rows = await self._database.rows("SELECT name, item FROM seen_records")
        return [(name, SignedItem.decode(item)) for name, item in rows]

    async def save_seen(self, name: str, item: SignedItem) -> None:
        """Keep the newest item seen of `name` by its publisher."""
        await self._database.execute(
            "INSERT OR REPLACE INTO seen_records VALUES (?, ?, ?)", name, item.key, item.encode()
        )

    async def save_evidence(self, key_text: str, first: SignedItem, second: SignedItem) -> None:
        """Keep two items that one publisher signed with one seq."""
        await self._database.execute(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)",
            key_text,
            first.key,
            first.encode(),
            second.encode(),
        )
