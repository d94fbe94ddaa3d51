from collections.abc import Mapping
from pathlib import Path

import libtorrent as lt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import SwarmError, UnavailableError
from libreseed.packages.integrity import sha512
from libreseed.swarm.bundle import MAX_FILE, BundleDownload, Member, make_bundle, pack_members, unpack_members
from libreseed.swarm.offers import Offers
from libreseed.swarm.session import AlertHandler, Session
from libreseed.swarm.torrents import Torrent, pieces_root
from libreseed.trust.records import BlobRef
from swarm.conftest import StartSession, endpoint, overhear, torrent_of

SIZES = (1, 16384, 16385, 300_000, MAX_FILE)


def torrents(folder: Path, sizes: tuple[int, ...] = SIZES) -> list[Torrent]:
    return [torrent_of(folder, bytes(number % (250 + at) for number in range(size))) for at, size in enumerate(sizes)]


def member(torrent: Torrent) -> Member:
    return Member(torrent.ref.sha512, torrent.ref.length, pieces_root(torrent.metadata))


def offered(session: Session, folder: Path, held: list[Torrent]) -> bytes:
    return Offers(session).offer([*map(member, held)], [folder / torrent.ref.sha512.hex() for torrent in held])


async def fetch(
    session: Session, v2: bytes, wanted: list[BlobRef], folder: Path, holder: Session
) -> dict[bytes, bytes]:
    folder.mkdir()
    async with download_of(session, v2, wanted, folder, holder) as download:
        files = await all_files(download, len(wanted))
    return {digest: file.read_bytes() for digest, file in files.items()}


async def all_files(download: BundleDownload, most: int) -> dict[bytes, Path]:
    """Return the files of what is wanted, at most so many."""
    files = await download.next_files()
    while len(files) < min(most, len(download.lengths)):
        files |= await download.next_files()
    return files


def download_of(session: Session, v2: bytes, wanted: list[BlobRef], folder: Path, holder: Session) -> BundleDownload:
    lengths = {ref.sha512: ref.length for ref in wanted}

    def choose(found: Mapping[bytes, int]) -> list[bytes]:
        return [digest for digest in found if lengths.get(digest) == found[digest]]

    download = BundleDownload(session, v2, folder, stall=1.5, length=1, choose=choose)
    download.add_peers([endpoint(holder)])
    return download


def refs(held: list[Torrent]) -> list[BlobRef]:
    return [torrent.ref for torrent in held]


async def test_all_that_is_wanted_comes_whole(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    got = await fetch(asker, offered(holder, tmp_path / "held", held), refs(held), tmp_path / "got", holder)
    assert got.keys() == {ref.sha512 for ref in refs(held)}
    assert all(sha512(data) == digest for digest, data in got.items())


async def test_nobody_else_is_told_of_it(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    v2 = offered(holder, tmp_path / "held", held)
    (tmp_path / "got").mkdir()
    async with download_of(asker, v2, refs(held), tmp_path / "got", holder) as download:
        await all_files(download, len(held))
        for session in (holder, asker):
            (handle,) = session._session.get_torrents()
            assert handle.flags() & lt.torrent_flags.disable_dht
            assert handle.flags() & lt.torrent_flags.disable_lsd


async def test_a_holder_may_have_some_only(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    got = await fetch(asker, offered(holder, tmp_path / "held", held[1:3]), refs(held), tmp_path / "got", holder)
    assert got.keys() == {ref.sha512 for ref in refs(held[1:3])}


async def test_a_blob_is_seeded_by_itself_and_in_bundles(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    for torrent in held:
        holder.seed(torrent, tmp_path / "held")
    for number, some in enumerate((held[:3], held[1:])):
        v2 = offered(holder, tmp_path / "held", some)
        assert len(await fetch(asker, v2, refs(some), tmp_path / f"got{number}", holder)) == len(some)


def test_the_order_does_not_matter(tmp_path: Path) -> None:
    members = [*map(member, torrents(tmp_path, (1, 2, 3)))]
    assert make_bundle(members) == make_bundle(members[::-1]) != make_bundle(members[1:])


async def test_only_what_is_wanted_comes(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    got = await fetch(asker, offered(holder, tmp_path / "held", held), refs(held[1:]), tmp_path / "got", holder)
    assert got.keys() == {ref.sha512 for ref in refs(held[1:])}


async def test_more_comes_when_more_is_wanted(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    v2 = offered(holder, tmp_path / "held", held)
    wanted = [held[0].ref.sha512]
    (tmp_path / "got").mkdir()
    download = BundleDownload(asker, v2, tmp_path / "got", stall=5.0, length=1, choose=lambda _: wanted)
    download.add_peers([endpoint(holder)])
    async with download:
        assert (await download.next_files()).keys() == {*wanted}
        for torrent in held[1:]:
            wanted = [torrent.ref.sha512]
            download.choose_again()
            assert sha512((await download.next_files())[wanted[-1]].read_bytes()) == wanted[-1]
    assert download.is_whole


async def test_it_is_told_only_once_that_a_torrent_is_finished(
    start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes to be wanted afterwards may have been on its way already: libtorrent says nothing then."""
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")

    def hear(handler: AlertHandler, alert: lt.alert) -> None:
        if not isinstance(alert, lt.torrent_finished_alert):
            handler(alert)

    overhear(monkeypatch, asker, hear)
    got = await fetch(asker, offered(holder, tmp_path / "held", held), refs(held), tmp_path / "got", holder)
    assert got.keys() == {ref.sha512 for ref in refs(held)}


async def test_nothing_of_it_is_wanted(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    with pytest.raises(SwarmError, match="Nothing"):
        await fetch(asker, offered(holder, tmp_path / "held", held[1:]), refs(held[:1]), tmp_path / "got", holder)


async def test_a_torrent_that_is_no_bundle(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    torrent = torrent_of(tmp_path, bytes(MAX_FILE + 1))
    holder.seed(torrent, tmp_path)
    with pytest.raises((SwarmError, UnavailableError), match=r"no bundle|different torrents|No data"):
        await fetch(asker, torrent.ref.v2, [torrent.ref], tmp_path / "got", holder)


async def test_a_file_of_another_length_than_was_claimed(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held", (10, 20))
    claimed = [BlobRef(ref.v1, ref.v2, ref.length + 1, ref.sha512) for ref in refs(held)]
    with pytest.raises(SwarmError, match="Nothing"):
        await fetch(asker, offered(holder, tmp_path / "held", held), claimed, tmp_path / "got", holder)


async def test_another_piece_length(
    start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held", (10, 20))
    with monkeypatch.context() as patched:
        patched.setattr("libreseed.swarm.bundle.MAX_FILE", 2 * MAX_FILE)
        v2 = offered(holder, tmp_path / "held", held)
    with pytest.raises(SwarmError, match="no bundle"):
        await fetch(asker, v2, refs(held), tmp_path / "got", holder)


async def test_what_was_damaged_is_not_taken(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    (tmp_path / "held" / held[1].ref.sha512.hex()).write_bytes(bytes(16384))
    with pytest.raises((UnavailableError, SwarmError)):
        await fetch(asker, offered(holder, tmp_path / "held", held), refs(held), tmp_path / "got", holder)


async def test_nobody_there(start_session: StartSession, tmp_path: Path) -> None:
    asker = await start_session()
    with pytest.raises(UnavailableError, match="the bundle 0707070707070707… from 1 known peers"):
        await fetch(asker, bytes([7] * 32), [], tmp_path / "got", asker)


@given(st.lists(st.tuples(st.binary(min_size=64, max_size=64), st.integers(1, MAX_FILE)), min_size=1, max_size=80))
def test_what_is_in_a_bundle_survives_the_way(blobs: list[tuple[bytes, int]]) -> None:
    members = [Member(digest, length, digest[:32]) for digest, length in blobs]
    assert unpack_members(pack_members(members)) == members


@pytest.mark.parametrize("packed", [b"", bytes(99), bytes(100), bytes(101), b"\xff" * 100, b"\0\0\0\1" * 2025])
def test_what_is_in_a_bundle_has_a_fitting_length(packed: bytes) -> None:
    with pytest.raises(SwarmError, match="wrong length"):
        unpack_members(packed)


async def test_with_its_torrent_file_nobody_is_asked_for_that(
    start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, asker = await start_session(), await start_session()
    held = torrents(tmp_path / "held")
    v2 = offered(holder, tmp_path / "held", held)
    alerts: list[type[lt.alert]] = []

    def hear(handler: AlertHandler, alert: lt.alert) -> None:
        alerts.append(type(alert))
        handler(alert)

    overhear(monkeypatch, asker, hear)
    metadata = make_bundle(map(member, held)).metadata
    wanted = [ref.sha512 for ref in refs(held[:2])]
    (tmp_path / "got").mkdir()
    download = BundleDownload(
        asker, v2, tmp_path / "got", stall=5.0, length=1, choose=lambda _: wanted, metadata=metadata
    )
    download.add_peers([endpoint(holder)])
    async with download:
        assert (await all_files(download, 2)).keys() == {*wanted}
    assert lt.metadata_received_alert not in alerts
