"""JSON documents other than packuments: those of the upstream, such as its signing keys, and attestations that were
published here."""

from dataclasses import dataclass

from libreseed.store.database import Database


def published_attestations(name: str, version: str) -> str:
    """Return the path under which the attestations of a version published here are stored; no path of the upstream's
    is like it."""
    return f"published {name}@{version}"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A JSON document; `checked` is when it was received, in seconds since the epoch."""

    body: bytes
    checked: float


class DocumentStore:
    """The table `documents`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, path: str) -> StoredDocument | None:
        """Return the document of a path, or None."""
        row = await self._database.row("SELECT body, checked FROM documents WHERE path = ?", path)
        return StoredDocument(*row) if row else None

    async def save(self, path: str, document: StoredDocument) -> None:
        """Save a document in place of an earlier one of that path."""
        await self._database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", path, document.body, document.checked
        )

    async def remove(self, path: str) -> None:
        """Delete the document of a path, if there is one."""
        await self._database.execute("DELETE FROM documents WHERE path = ?", path)
