"""JSON documents of the upstream other than packuments, such as its signing keys."""

from dataclasses import dataclass

from libreseed.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document; `checked` is when the upstream gave it, in seconds since the epoch."""

    body: bytes
    checked: float


class DocumentStore:
    """The table `documents`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, path: str) -> StoredDocument | None:
        """Return the document of an upstream path, or None."""
        row = await self._database.row("SELECT body, checked FROM documents WHERE path = ?", path)
        return StoredDocument(*row) if row else None

    async def save(self, path: str, document: StoredDocument) -> None:
        """Keep a document in place of an earlier one."""
        await self._database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", path, document.body, document.checked
        )
