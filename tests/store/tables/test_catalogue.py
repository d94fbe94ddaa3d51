from libreseed.packages.integrity import sha512
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import PUBLISHED, BlobEntry, Catalogue, NamedBlob, TarballName
from libreseed.trust.records import BlobRef

A = BlobEntry(BlobRef(b"1" * 20, b"1" * 32, 1, sha512(b"a")), b"torrent a", True)
B = BlobEntry(BlobRef(b"2" * 20, b"2" * 32, 2, sha512(b"b")), b"torrent b", False)
TARBALL = TarballName("pkg", "pkg-1.0.0.tgz", "upstream")
FORK = TarballName("fork", "fork-1.0.0.tgz", PUBLISHED)


async def reopened(database: Database) -> Catalogue:
    catalogue = Catalogue(database)
    await catalogue.open()
    return catalogue


async def test_what_is_saved_is_found(database: Database) -> None:
    catalogue = await reopened(database)
    await catalogue.save(A, TARBALL)
    await catalogue.save(B, None)
    for each in (catalogue, await reopened(database)):
        assert each.tarball(*TARBALL[:2]) == NamedBlob(A.ref.sha512, "upstream")
        assert each.tarball("pkg", "pkg-2.0.0.tgz") is None
        assert (each.tarballs, each.packages) == (1, 1)
        assert await each.entries() == [A, B]


async def test_one_blob_of_many_names(database: Database) -> None:
    catalogue = await reopened(database)
    await catalogue.save(A, TARBALL)
    await catalogue.name_tarball(FORK, A.ref.sha512)
    for each in (catalogue, await reopened(database)):
        assert each.tarball("fork", "fork-1.0.0.tgz") == NamedBlob(A.ref.sha512, PUBLISHED)
        assert each.owners(A.ref.sha512) == {"fork", "pkg"}
        assert each.published(A.ref.sha512) == ["fork-1.0.0.tgz"]
        assert (each.tarballs, each.packages) == (2, 2)


async def test_once_shared_a_blob_stays_so(database: Database) -> None:
    catalogue = await reopened(database)
    for shared in (False, True, False):
        await catalogue.save(BlobEntry(A.ref, A.metadata, shared), None)
    assert await catalogue.entries() == [A]


async def test_a_private_blob_is_private_after_a_restart(database: Database) -> None:
    await (await reopened(database)).save(B, None)
    assert [entry.shared for entry in await (await reopened(database)).entries()] == [False]


async def test_remove(database: Database) -> None:
    catalogue = await reopened(database)
    await catalogue.save(A, TARBALL)
    await catalogue.save(B, TarballName("pkg", "pkg-2.0.0.tgz", "upstream"))
    await catalogue.remove(A.ref.sha512)
    for each in (catalogue, await reopened(database)):
        assert each.tarball(*TARBALL[:2]) is None
        assert each.tarballs == 1
        assert await each.entries() == [B]


async def test_blobs_that_belong_to_some_names_only(database: Database) -> None:
    catalogue = await reopened(database)
    await catalogue.save(A, TARBALL)
    await catalogue.save(B, TarballName("@acme/tool", "tool-1.0.0.tgz", PUBLISHED))
    assert catalogue.only_of(lambda name: name.startswith("@acme/")) == {B.ref.sha512}
    await catalogue.name_tarball(FORK, B.ref.sha512)
    assert catalogue.only_of(lambda name: name.startswith("@acme/")) == set()
