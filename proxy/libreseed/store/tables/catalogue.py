"""What the store knows of its blobs: their torrents, and which tarball of which package each is."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from libreseed.store.database import Database
from libreseed.trust.records import BlobRef


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob in the store. `shared` is False for what needed credentials upstream: never seeded, never announced."""

    ref: BlobRef
    metadata: bytes
    shared: bool


class Catalogue:
    """The tables `blobs` and `tarballs`, with the tarballs' index in memory: the hot path asks no database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tarballs: dict[tuple[str, str], bytes] = {}

    async def open(self) -> None:
        """Read the index. Raises StoreError."""
        rows = await self._database.rows("SELECT name, file, sha512 FROM tarballs")
        self._tarballs = {(name, file): digest for name, file, digest in rows}

    async def entries(self) -> list[BlobEntry]:
        """Return every blob."""
        rows = await self._database.rows("SELECT v1, v2, length, sha512, metadata, shared FROM blobs")
        return [BlobEntry(BlobRef(*row[:4]), row[4], bool(row[5])) for row in rows]

    async def save(self, entry: BlobEntry, tarball: tuple[str, str] | None) -> None:
        """Keep a blob, and under which (name, file) it is a tarball. Once shared, a blob stays so."""
        ref = entry.ref

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO blobs (v1, v2, length, sha512, metadata, shared) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (sha512) DO UPDATE SET shared = max(shared, excluded.shared)",
                (ref.v1, ref.v2, ref.length, ref.sha512, entry.metadata, entry.shared),
            )
            if tarball is not None:
                connection.execute("INSERT OR REPLACE INTO tarballs VALUES (?, ?, ?)", (*tarball, ref.sha512))

        await self._database.run(write)
        if tarball is not None:
            self._tarballs[tarball] = ref.sha512

    async def remove(self, digest: bytes) -> None:
        """Forget a blob and the tarballs that are it."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tarballs WHERE sha512 = ?", (digest,))
            connection.execute("DELETE FROM blobs WHERE sha512 = ?", (digest,))

        await self._database.run(write)
        self._tarballs = {key: value for key, value in self._tarballs.items() if value != digest}

    async def name_tarball(self, name: str, file: str, digest: bytes) -> None:
        """Keep that a blob of the store is also this tarball."""
        await self._database.execute("INSERT OR REPLACE INTO tarballs VALUES (?, ?, ?)", name, file, digest)
        self._tarballs[name, file] = digest

    def tarball(self, name: str, file: str) -> bytes | None:
        """Return the SHA-512 of a package's tarball file, from memory."""
        return self._tarballs.get((name, file))

    def only_of(self, belongs: Callable[[str], bool]) -> set[bytes]:
        """Return the SHA-512 of the blobs that are tarballs of such packages, by name, and of no others."""
        theirs: set[bytes] = set()
        others: set[bytes] = set()
        for (name, _), digest in self._tarballs.items():
            (theirs if belongs(name) else others).add(digest)
        return theirs - others

    @property
    def tarballs(self) -> int:
        """How many tarballs there are."""
        return len(self._tarballs)

    @property
    def packages(self) -> int:
        """How many packages they belong to."""
        return len({name for name, _ in self._tarballs})
