"""The blobs in the store: the torrent of each, and the tarballs, by package and file name, that it is."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from libreseed.store.database import Database
from libreseed.trust.records import BlobRef


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob in the store. `metadata` is its torrent's, bencoded. `shared` is False for what needed credentials
    upstream, which is never seeded or announced."""

    ref: BlobRef
    metadata: bytes
    shared: bool


class Catalogue:
    """The tables `blobs` and `tarballs`. The tarballs' index is also kept in memory, so that serving one needs no
    query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tarballs: dict[tuple[str, str], bytes] = {}

    async def open(self) -> None:
        """Load the index of tarballs. Raises StoreError."""
        rows = await self._database.rows("SELECT name, file, sha512 FROM tarballs")
        self._tarballs = {(name, file): digest for name, file, digest in rows}

    async def entries(self) -> list[BlobEntry]:
        """Return every blob, in the order in which they came."""
        rows = await self._database.rows("SELECT v1, v2, length, sha512, metadata, shared FROM blobs ORDER BY rowid")
        return [BlobEntry(BlobRef(*row[:4]), row[4], bool(row[5])) for row in rows]

    async def save(self, entry: BlobEntry, tarball: tuple[str, str] | None) -> None:
        """Save a blob, and that it is the tarball (package name, file name), if given. A blob that is shared stays
        so."""
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
        """Remove a blob, and the tarballs that it is, from the catalogue."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tarballs WHERE sha512 = ?", (digest,))
            connection.execute("DELETE FROM blobs WHERE sha512 = ?", (digest,))

        await self._database.run(write)
        self._tarballs = {key: value for key, value in self._tarballs.items() if value != digest}

    async def name_tarball(self, name: str, file: str, digest: bytes) -> None:
        """Save that a blob in the store is also the tarball `file` of the package `name`."""
        await self._database.execute("INSERT OR REPLACE INTO tarballs VALUES (?, ?, ?)", name, file, digest)
        self._tarballs[name, file] = digest

    def tarball(self, name: str, file: str) -> bytes | None:
        """Return the SHA-512 of the tarball `file` of the package `name`, None when it is not in the index."""
        return self._tarballs.get((name, file))

    def only_of(self, belongs: Callable[[str], bool]) -> set[bytes]:
        """Return the SHA-512 of the blobs that are tarballs only of packages whose name `belongs`."""
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
