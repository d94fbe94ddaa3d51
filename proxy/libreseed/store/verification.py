"""Checks that each blob has the bytes of its name, and that blobs and rows of the database belong to each other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from libreseed.errors import IntegrityError, StoreError
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue


@dataclass(slots=True)
class Findings:
    """What a verification found: the number of blobs checked, the digests of damaged, missing and unreferenced ones,
    what the disk says of those that cannot be read, and the complaints of SQLite's integrity check."""

    verified: int = 0
    damaged: list[bytes] = field(default_factory=list)
    missing: list[bytes] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unreferenced: list[bytes] = field(default_factory=list)
    database: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether no blob is damaged or missing and the database is sound. Unreferenced files do no harm."""
        return not (self.damaged or self.missing or self.unreadable or self.database)


async def verify_store(
    database: Database, blobs: BlobStore, *, hashes: bool, progress: Callable[[int, int], None] = lambda _, __: None
) -> Findings:
    """Check the database, the presence of every blob, and with `hashes` the SHA-512 of its bytes. Changes nothing.

    `progress(done, all)`, in blobs, is called after each blob. Raises StoreError when the store cannot be read at all.
    """
    findings = Findings()
    findings.database = [row[0] for row in await database.rows("PRAGMA integrity_check") if row[0] != "ok"]
    digests = [entry.ref.sha512 for entry in await Catalogue(database).entries()]
    for number, digest in enumerate(digests, 1):
        await asyncio.to_thread(_verify_blob, blobs, digest, hashes, findings)
        progress(number, len(digests))
    known = set(digests)
    on_disk = await asyncio.to_thread(lambda: list(blobs.digests()))
    findings.unreferenced = [digest for digest in on_disk if digest not in known]
    return findings


async def repair_store(database: Database, blobs: BlobStore, findings: Findings) -> None:
    """Set damaged blobs aside, and remove the rows of damaged and missing ones, which are then fetched anew when they
    are asked for; but not of what was published here, which may come back. Nothing else is touched. Raises
    StoreError."""
    catalogue = Catalogue(database)
    await catalogue.open()
    for digest in findings.damaged:
        await asyncio.to_thread(blobs.set_aside, digest)
    published = {digest for _, digest in catalogue.all_published()}
    for digest in (*findings.damaged, *findings.missing):
        if digest not in published:
            await catalogue.remove(digest)


def _verify_blob(blobs: BlobStore, digest: bytes, hashes: bool, findings: Findings) -> None:
    if not blobs.has(digest):
        findings.missing.append(digest)
        return
    try:
        if hashes:
            blobs.verify(digest)
        findings.verified += 1
    except IntegrityError:
        findings.damaged.append(digest)
    except StoreError as error:
        findings.unreadable.append(str(error))
