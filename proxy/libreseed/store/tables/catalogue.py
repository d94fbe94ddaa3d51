"""The blobs in the store: the torrent of each, and the tarballs, by package and file name, that it is."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from libreseed.store.database import Database
from libreseed.trust.records import BlobRef

PUBLISHED = "published"
"""The origin of tarballs that were published here."""
_NAME = "INSERT OR REPLACE INTO tarballs (name, file, origin, sha512) VALUES (?, ?, ?, ?)"


class TarballName(NamedTuple):
    """The tarball `file` of the package `name`, by the word of `origin`: PUBLISHED, or that of a packument."""

    name: str
    file: str
    origin: str


class NamedBlob(NamedTuple):
    """The blob that a tarball is, by its SHA-512, and whose word that is; empty when that is unknown."""

    digest: bytes
    origin: str


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
        self._tarballs: dict[tuple[str, str], NamedBlob] = {}

    async def open(self) -> None:
        """Load the index of tarballs. Raises StoreError."""
        rows = await self._database.rows("SELECT name, file, sha512, origin FROM tarballs")
        self._tarballs = {(name, file): NamedBlob(digest, origin) for name, file, digest, origin in rows}

    async def entries(self) -> list[BlobEntry]:
        """Return every blob, in the order in which they came."""
        rows = await self._database.rows("SELECT v1, v2, length, sha512, metadata, shared FROM blobs ORDER BY rowid")
        return [BlobEntry(BlobRef(*row[:4]), row[4], bool(row[5])) for row in rows]

    async def save(self, entry: BlobEntry, tarball: TarballName | None) -> None:
        """Save a blob, and that it is this tarball, if given. A blob that is shared stays so."""
        ref = entry.ref

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO blobs (v1, v2, length, sha512, metadata, shared) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (sha512) DO UPDATE SET shared = max(shared, excluded.shared)",
                (ref.v1, ref.v2, ref.length, ref.sha512, entry.metadata, entry.shared),
            )
            if tarball is not None:
                connection.execute(_NAME, (*tarball, ref.sha512))

        await self._database.run(write)
        if tarball is not None:
            self._remember(tarball, ref.sha512)

    async def remove(self, digest: bytes) -> None:
        """Remove a blob, and the tarballs that it is, from the catalogue."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tarballs WHERE sha512 = ?", (digest,))
            connection.execute("DELETE FROM blobs WHERE sha512 = ?", (digest,))

        await self._database.run(write)
        self._tarballs = {key: value for key, value in self._tarballs.items() if value.digest != digest}

    async def name_tarball(self, tarball: TarballName, digest: bytes) -> None:
        """Save that a blob in the store is also this tarball, unless that is known."""
        if self._tarballs.get(tarball[:2]) != (digest, tarball.origin):
            await self._database.execute(_NAME, *tarball, digest)
            self._remember(tarball, digest)

    def tarball(self, name: str, file: str) -> NamedBlob | None:
        """Return which blob is the tarball `file` of the package `name`, None when it is not in the index."""
        return self._tarballs.get((name, file))

    def owners(self, digest: bytes) -> set[str]:
        """Return the names of the packages that a blob is a tarball of."""
        return {name for (name, _), blob in self._tarballs.items() if blob.digest == digest}

    def only_of(self, belongs: Callable[[str], bool]) -> set[bytes]:
        """Return the SHA-512 of the blobs that are tarballs only of packages whose name `belongs`."""
        theirs: set[bytes] = set()
        others: set[bytes] = set()
        for (name, _), (digest, _) in self._tarballs.items():
            (theirs if belongs(name) else others).add(digest)
        return theirs - others

    def all_published(self) -> Iterator[tuple[str, bytes]]:
        """Yield the file name of each tarball published here, and the SHA-512 of the blob that it is."""
        for (_, file), (digest, origin) in self._tarballs.items():
            if origin == PUBLISHED:
                yield file, digest

    def published(self, digest: bytes) -> list[str]:
        """Return the file names of the tarballs published here that a blob is."""
        return [file for file, found in self.all_published() if found == digest]

    @property
    def tarballs(self) -> int:
        """How many tarballs there are."""
        return len(self._tarballs)

    @property
    def packages(self) -> int:
        """How many packages they belong to."""
        return len({name for name, _ in self._tarballs})

    def _remember(self, tarball: TarballName, digest: bytes) -> None:
        self._tarballs[tarball.name, tarball.file] = NamedBlob(digest, tarball.origin)
