from collections.abc import Collection

import pytest

from libreseed.errors import StoreError
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import PUBLISHED, BlobEntry, Catalogue, NamedBlob, TarballName
from libreseed.store.verification import repair_store, verify_store
from libreseed.trust.records import BlobRef

GOOD, DAMAGED, MISSING, LOOSE = (sha512(name) for name in (b"good", b"damaged", b"missing", b"loose"))


async def fill(database: Database, blobs: BlobStore, published: Collection[bytes] = ()) -> None:
    catalogue = Catalogue(database)
    for data in (b"good", b"damaged", b"missing"):
        digest = sha512(data)
        blobs.add(data, digest)
        ref = BlobRef(digest[:20], digest[:32], len(data), digest)
        origin = PUBLISHED if data in published else "upstream"
        await catalogue.save(BlobEntry(ref, b"", True), TarballName("pkg", f"pkg-{data.decode()}.tgz", origin))
    blobs.add(b"loose", LOOSE)
    blobs.path(DAMAGED).write_bytes(b"DAMAGED")
    blobs.remove(MISSING)


async def test_a_healthy_store(database: Database, blobs: BlobStore) -> None:
    findings = await verify_store(database, blobs, hashes=True)
    assert findings.healthy
    assert findings.verified == 0


async def test_findings(database: Database, blobs: BlobStore) -> None:
    await fill(database, blobs)
    steps: list[tuple[int, int]] = []
    findings = await verify_store(database, blobs, hashes=True, progress=lambda done, all_: steps.append((done, all_)))
    assert (findings.damaged, findings.missing, findings.unreferenced) == ([DAMAGED], [MISSING], [LOOSE])
    assert (findings.verified, findings.database, findings.healthy) == (1, [], False)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert blobs.path(DAMAGED).read_bytes() == b"DAMAGED", "looking changes nothing"


async def test_without_hashes_only_presence_is_checked(database: Database, blobs: BlobStore) -> None:
    await fill(database, blobs)
    findings = await verify_store(database, blobs, hashes=False)
    assert (findings.verified, findings.damaged, findings.missing) == (2, [], [MISSING])


async def test_a_loose_file_is_no_damage(database: Database, blobs: BlobStore) -> None:
    blobs.add(b"loose", LOOSE)
    assert (await verify_store(database, blobs, hashes=True)).healthy


async def test_repair(database: Database, blobs: BlobStore) -> None:
    await fill(database, blobs)
    await repair_store(database, blobs, await verify_store(database, blobs, hashes=True))
    findings = await verify_store(database, blobs, hashes=True)
    assert findings.healthy
    assert (findings.verified, findings.unreferenced) == (1, [LOOSE]), "what belongs to nothing may be of use yet"
    catalogue = Catalogue(database)
    await catalogue.open()
    assert catalogue.tarball("pkg", "pkg-good.tgz") == NamedBlob(GOOD, "upstream")
    assert catalogue.tarballs == 1


async def test_of_what_was_published_here_nothing_is_forgotten(database: Database, blobs: BlobStore) -> None:
    await fill(database, blobs, published=(b"damaged", b"missing"))
    await repair_store(database, blobs, await verify_store(database, blobs, hashes=True))
    aside = blobs.folder.parent / "damaged" / DAMAGED.hex()
    assert aside.read_bytes() == b"DAMAGED"
    for data in (b"damaged", b"missing"):
        blobs.add(data, sha512(data))
    findings = await verify_store(database, blobs, hashes=True)
    assert (findings.healthy, findings.verified) == (True, 3)


async def test_what_cannot_be_read_is_not_damaged(
    database: Database, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, blobs)

    def fails(_: object) -> bytes:
        raise StoreError("Cannot use it: Input/output error.")

    monkeypatch.setattr("libreseed.store.blobs.hash_file", fails)
    findings = await verify_store(database, blobs, hashes=True)
    assert (findings.damaged, len(findings.unreadable), findings.healthy) == ([], 2, False)
