from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue, NamedBlob, TarballName
from libreseed.swarm import bundler
from libreseed.swarm.bundle import MAX_FILE
from libreseed.swarm.download import Download
from libreseed.swarm.seeding import Incoming
from libreseed.swarm.session import Session
from libreseed.trust.records import BlobRef
from support.seeding import Told, make_seeding
from swarm.conftest import DATA, StartSession, endpoint, seeded, torrent_of

DIGEST = sha512(DATA)
TARBALL = TarballName("pkg", "pkg-1.0.0.tgz", "upstream")


class Holder:
    """A store that seeds, and what it told others of."""

    def __init__(self, root: Path, database: Database, session: Session) -> None:
        self.blobs = BlobStore(root / ".swarm")
        self.catalogue = Catalogue(database)
        self.session = session
        self.announcer = Told()
        self.seeding, self.bundler, self.offers = make_seeding(self.blobs, self.catalogue, session, self.announcer)

    @property
    def told(self) -> list[BlobRef]:
        return self.announcer.refs

    async def open(self) -> "Holder":
        await self.blobs.open()
        await self.catalogue.open()
        await self.seeding.open()
        return self


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "libreseed.db")
    yield opened
    await opened.close()


@pytest.fixture
async def holder(tmp_path: Path, database: Database, start_session: StartSession) -> Holder:
    return await Holder(tmp_path, database, await start_session()).open()


async def can_fetch(holder: Holder, start_session: StartSession, ref: BlobRef, folder: Path) -> bool:
    folder.mkdir()
    leecher = await start_session()
    try:
        async with Download(leecher, ref, folder, [endpoint(holder.session)], 1.0) as download:
            await download.complete()
    except UnavailableError:
        return False
    return download.file.read_bytes() == DATA


async def test_what_is_held_already_is_checked_all_the_same(holder: Holder) -> None:
    """Who sends it a second time is judged by what comes, and nothing of it is stored."""
    ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=True)
    files = [holder.blobs.incoming_dir() / "file" for _ in range(2)]
    for file, data in zip(files, (DATA, DATA[::-1]), strict=True):
        file.write_bytes(data)
    right, wrong = await holder.seeding.add_files([Incoming(file, DIGEST, shared=True) for file in files])
    assert right == ref
    assert isinstance(wrong, IntegrityError)
    assert holder.seeding.path(DIGEST).read_bytes() == DATA


async def test_what_is_added_is_seeded(holder: Holder, start_session: StartSession, tmp_path: Path) -> None:
    ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=True, tarball=TARBALL)
    assert ref == torrent_of(tmp_path / "same").ref
    assert holder.told == [ref]
    assert holder.seeding.find(DIGEST) == holder.seeding.shared(DIGEST) == ref
    assert holder.seeding.path(DIGEST).read_bytes() == DATA
    assert holder.seeding.size == len(DATA)
    assert holder.catalogue.tarball(*TARBALL[:2]) == NamedBlob(DIGEST, "upstream")
    assert await can_fetch(holder, start_session, ref, tmp_path / "got")


async def test_seeding_goes_on_after_a_restart(
    holder: Holder, database: Database, start_session: StartSession, tmp_path: Path
) -> None:
    ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=True)
    await holder.session.stop()
    again = await Holder(tmp_path, database, await start_session()).open()
    assert again.told == [ref]
    assert await can_fetch(again, start_session, ref, tmp_path / "got")


async def test_what_needed_credentials_is_kept_from_others(
    holder: Holder, database: Database, start_session: StartSession, tmp_path: Path
) -> None:
    ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=False)
    assert holder.seeding.find(DIGEST) == ref
    assert holder.seeding.shared(DIGEST) is None
    await holder.session.stop()
    again = await Holder(tmp_path, database, await start_session()).open()
    assert again.seeding.shared(DIGEST) is None
    assert (holder.told, again.told) == ([], [])
    assert not await can_fetch(again, start_session, ref, tmp_path / "got")


async def test_what_becomes_public_is_seeded_from_then_on(
    holder: Holder, start_session: StartSession, tmp_path: Path
) -> None:
    for shared in (False, True, False):
        ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=shared)
    assert holder.told == [ref]
    assert holder.seeding.shared(DIGEST) == ref
    assert await can_fetch(holder, start_session, ref, tmp_path / "got")


async def test_wrong_bytes_are_not_held(holder: Holder) -> None:
    folder = holder.blobs.incoming_dir()
    (folder / "file").write_bytes(DATA[::-1])
    with pytest.raises(IntegrityError):
        await holder.seeding.add_file(folder / "file", DIGEST, shared=True, tarball=TARBALL)
    with pytest.raises(IntegrityError):
        await holder.seeding.add_bytes(DATA[::-1], DIGEST, shared=True, tarball=TARBALL)
    assert holder.seeding.find(DIGEST) is None
    assert holder.catalogue.tarball(*TARBALL[:2]) is None
    assert await holder.catalogue.entries() == []
    assert (holder.told, holder.blobs.has(DIGEST)) == ([], False)


async def test_a_file_from_an_incoming_folder(holder: Holder) -> None:
    folder = holder.blobs.incoming_dir()
    (folder / "file").write_bytes(DATA)
    ref = await holder.seeding.add_file(folder / "file", DIGEST, shared=True, tarball=TARBALL)
    assert holder.seeding.find(DIGEST) == ref
    assert (
        await holder.seeding.add_bytes(DATA, DIGEST, shared=True, tarball=TarballName("fork", "fork-1.0.0.tgz", ""))
        == ref
    )
    assert holder.catalogue.tarballs == 2
    assert holder.told == [ref], "it is told of once"


async def test_several_files_at_once_of_which_one_is_wrong(holder: Holder) -> None:
    blobs = [DATA, DATA[1:], DATA[2:]]
    files = []
    for data in blobs:
        file = holder.blobs.incoming_dir() / "file"
        file.write_bytes(data if data is not blobs[1] else b"other")
        files.append(Incoming(file, sha512(data), shared=True, tarball=TarballName("pkg", f"pkg-{len(data)}.tgz", "")))
    first, wrong, last = await holder.seeding.add_files(files)
    assert isinstance(wrong, IntegrityError)
    assert (first, last) == (holder.seeding.shared(DIGEST), holder.seeding.shared(sha512(DATA[2:])))
    assert holder.told == [first, last]
    assert holder.catalogue.tarballs == 2
    assert holder.seeding.find(sha512(DATA[1:])) is None


async def add_all(holder: Holder, *blobs: bytes, shared: bool = True) -> list[bytes]:
    return [(await holder.seeding.add_bytes(data, sha512(data), shared=shared)).sha512 for data in blobs]


async def test_bundles_have_what_is_shared_and_small(holder: Holder) -> None:
    small = await add_all(holder, DATA, DATA[1:])
    large = await add_all(holder, bytes(MAX_FILE), bytes(MAX_FILE + 1))
    secret = await add_all(holder, DATA[2:], shared=False)
    (v2,) = holder.bundler.bundle([*small, *secret, large[1], bytes(64)])
    assert len(v2) == 32
    assert holder.bundler.bundle(secret) == []
    assert [v2] == holder.bundler.bundle([small[0], *secret])
    assert holder.offers.digests(v2) == {*small, large[0]}


async def test_bundles_have_what_came_next(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole fleet asks in the order of its lock file, as who holds it once did."""
    monkeypatch.setattr(bundler, "MAX_FILES", 4)
    first, second, asked, next_one, then, late = await add_all(holder, *(DATA[at:] for at in range(6)))
    (one,) = holder.bundler.bundle([second])
    assert holder.offers.digests(one) == {second, asked, next_one, then}
    (other,) = holder.bundler.bundle([first])
    assert holder.offers.digests(other) == {first, late}, "what is in one is not put into another"
    old, new = holder.bundler.bundle([asked, (await add_all(holder, DATA[6:]))[0]])
    assert (old, holder.bundler.members(new)[:64]) == (one, sha512(DATA[6:]))


async def test_bundles_have_room_for_so_many_bytes(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundler, "MAX_BYTES", 2 * len(DATA))
    asked, after, _ = await add_all(holder, DATA, DATA[1:], DATA[2:])
    (v2,) = holder.bundler.bundle([asked])
    assert holder.offers.digests(v2) == {asked, after}


async def test_what_somebody_fetches_by_its_own_torrent_is_in_no_bundle(holder: Holder) -> None:
    one, other, third = await add_all(holder, DATA, DATA[1:], DATA[2:])
    bundle, own = sorted(
        holder.bundler.bundle([one, other, third], fetched=[other]), key=lambda v2: v2 == own_of(holder, other)
    )
    assert own == own_of(holder, other)
    assert holder.offers.digests(bundle) == {one, third}


def own_of(holder: Holder, digest: bytes) -> bytes:
    ref = holder.seeding.find(digest)
    assert ref is not None
    return ref.v2


async def test_a_bundle_ends_with_any_of_its_blobs(holder: Holder) -> None:
    (v2,) = holder.bundler.bundle(await add_all(holder, DATA, DATA[1:]))
    assert v2 in seeded(holder.session)
    await holder.seeding.drop(DIGEST)
    assert v2 not in seeded(holder.session)


async def test_drop(holder: Holder, start_session: StartSession, tmp_path: Path) -> None:
    ref = await holder.seeding.add_bytes(DATA, DIGEST, shared=True, tarball=TARBALL)
    await holder.seeding.drop(DIGEST)
    await holder.seeding.drop(DIGEST)
    assert holder.seeding.find(DIGEST) is None
    assert holder.catalogue.tarball(*TARBALL[:2]) is None
    assert not holder.blobs.has(DIGEST)
    assert not await can_fetch(holder, start_session, ref, tmp_path / "got")


async def test_what_was_held_stays_when_nothing_more_can_be_saved(
    holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when its rule changes."""
    await holder.seeding.add_bytes(DATA, DIGEST, shared=False)

    async def fails(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(holder.catalogue, "save", fails)
    with pytest.raises(StoreError):
        await holder.seeding.share(DIGEST)
    assert holder.blobs.path(DIGEST).read_bytes() == DATA
    with pytest.raises(StoreError):
        await holder.seeding.add_bytes(DATA[1:], sha512(DATA[1:]), shared=True)
    assert not holder.blobs.has(sha512(DATA[1:]))


async def test_what_has_gone_from_the_disk_is_not_held(
    holder: Holder, database: Database, start_session: StartSession, tmp_path: Path
) -> None:
    await holder.seeding.add_bytes(DATA, DIGEST, shared=True, tarball=TARBALL)
    holder.blobs.path(DIGEST).unlink()
    again = await Holder(tmp_path, database, await start_session()).open()
    assert (again.seeding.find(DIGEST), again.told) == (None, [])
    await again.seeding.add_bytes(DATA, DIGEST, shared=True, tarball=TARBALL)
    assert again.blobs.has(DIGEST)
