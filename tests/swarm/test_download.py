import asyncio
import socket
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest

from libreseed.errors import SwarmError, UnavailableError
from libreseed.packages.integrity import sha512
from libreseed.swarm.download import Download
from libreseed.swarm.session import AlertHandler, Session
from libreseed.swarm.torrents import Torrent, make_torrent
from libreseed.trust.records import BlobRef, Endpoint
from support.running import eventually
from swarm.conftest import DATA, StartSession, endpoint, overhear, torrent_of


async def fetch(session: Session, ref: BlobRef, folder: Path, peers: Iterable[Endpoint], stall: float = 20.0) -> bytes:
    folder.mkdir()
    async with Download(session, ref, folder, peers, stall) as download:
        await download.complete()
    return download.file.read_bytes()


async def test_whole_file(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    assert await fetch(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)]) == DATA


async def test_pieces_come_in_their_order(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    async with Download(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)], 20.0) as download:
        await download.first_piece()
        pieces = [piece async for piece in download.pieces()]
        await download.complete()
    assert b"".join(pieces) == DATA
    assert len(pieces) == 19


async def test_from_a_leecher_that_seeds_on(start_session: StartSession, tmp_path: Path) -> None:
    first, second, third = [await start_session() for _ in range(3)]
    torrent = torrent_of(tmp_path / "seed")
    first.seed(torrent, tmp_path / "seed")
    await fetch(second, torrent.ref, tmp_path / "second", [endpoint(first)])
    await first.stop()
    second.seed(torrent, tmp_path / "second")
    assert await fetch(third, torrent.ref, tmp_path / "third", [endpoint(second)]) == DATA


async def test_peers_may_come_late(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    async with Download(leecher, torrent.ref, tmp_path / "got", [], 20.0) as download:
        complete = asyncio.create_task(download.complete())
        await asyncio.sleep(0)
        download.add_peers([endpoint(seeder)])
        await complete
    assert download.file.read_bytes() == DATA
    assert download.peers == {endpoint(seeder)}


async def test_another_goes_on_when_a_seeder_leaves(start_session: StartSession, tmp_path: Path) -> None:
    data = DATA * 10
    slow, quick, leecher = await start_session(upload_limit=400_000), await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed", data)
    for seeder in (slow, quick):
        seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    async with Download(leecher, torrent.ref, tmp_path / "got", [endpoint(slow)], 20.0) as download:
        got = b""
        async for piece in download.pieces():
            if not got:
                await slow.stop()
                download.add_peers([endpoint(quick)])
            got += piece
        await download.complete()
    assert got == data
    assert download.file.read_bytes() == data


async def test_nobody_there(start_session: StartSession, tmp_path: Path) -> None:
    leecher = await start_session()
    ref = torrent_of(tmp_path / "seed").ref
    with pytest.raises(UnavailableError, match="from 0 known peers"):
        await fetch(leecher, ref, tmp_path / "got", [], stall=0.05)


async def test_a_peer_that_only_listens(start_session: StartSession, tmp_path: Path) -> None:
    leecher = await start_session()
    ref = torrent_of(tmp_path / "seed").ref
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnavailableError, match="from 1 known peers"):
        await fetch(leecher, ref, tmp_path / "got", [silent.getsockname()], stall=0.5)
    assert leecher.peers == 0, "a download that was given up leaves nothing running"


def other_torrent(folder: Path, files: dict[str, bytes], piece: int = 16384) -> Torrent:
    """Make a torrent against our rules; its reference claims to be `DATA`."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    creator = lt.create_torrent([lt.create_file_entry(name, len(data)) for name, data in files.items()], piece)
    lt.set_piece_hashes(creator, str(folder))
    metadata = lt.bencode(creator.generate())
    hashes = lt.torrent_info(metadata).info_hashes()
    return Torrent(BlobRef(hashes.v1.to_bytes(), hashes.v2.to_bytes(), len(DATA), sha512(DATA)), metadata)


NAME = sha512(DATA).hex()


@pytest.mark.parametrize(
    ("files", "piece"),
    [
        ({"package.json": DATA}, 16384),
        ({f"{NAME}/a": DATA[:5], f"{NAME}/b": DATA[5:]}, 16384),
        ({f"{NAME}/{NAME}": DATA}, 16384),
        ({NAME: DATA[:-1]}, 16384),
        ({NAME: DATA + b"!"}, 16384),
        ({NAME: DATA}, 32768),
    ],
    ids=["other name", "two files", "in a folder", "shorter", "longer", "other piece length"],
)
async def test_other_metadata_than_promised(
    start_session: StartSession, tmp_path: Path, files: dict[str, bytes], piece: int
) -> None:
    """The infohash is right, so libtorrent is content: that it is not one file by our rules is for us to see."""
    seeder, leecher = await start_session(), await start_session()
    torrent = other_torrent(tmp_path / "seed", files, piece)
    seeder.seed(torrent, tmp_path / "seed")
    with pytest.raises(SwarmError, match="was promised"):
        await fetch(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)])


async def test_other_metadata_is_refused_also_when_all_has_come_before_anybody_looks(
    start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    told: list[type[lt.alert]] = []
    begin = leecher.download

    def noting(
        hashes: lt.info_hash_t, folder: Path, peers: Iterable[Endpoint], handler: AlertHandler, **how: Any
    ) -> Any:
        return begin(hashes, folder, peers, lambda alert: (handler(alert), told.append(type(alert))), **how)

    def is_flushed() -> bool:
        return lt.cache_flushed_alert in told[told.index(lt.torrent_finished_alert) :]

    monkeypatch.setattr(leecher, "download", noting)
    ref = replace(torrent.ref, length=torrent.ref.length + 1)
    async with Download(leecher, ref, tmp_path / "got", [endpoint(seeder)], 20.0) as download:
        await eventually(lambda: lt.torrent_finished_alert in told and is_flushed(), 20.0)
        for waiting in (download.first_piece, download.complete):
            with pytest.raises(SwarmError, match="not the one file"):
                await waiting()


async def test_two_torrents_in_one_reference(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent, other = torrent_of(tmp_path / "seed"), torrent_of(tmp_path / "seed", DATA[::-1])
    seeder.seed(torrent, tmp_path / "seed")
    with pytest.raises((SwarmError, UnavailableError)):
        await fetch(leecher, replace(torrent.ref, v2=other.ref.v2), tmp_path / "got", [endpoint(seeder)], stall=1.0)


async def test_damaged_pieces_are_not_taken(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    file = tmp_path / "seed" / NAME
    file.write_bytes(DATA[:200_000] + bytes([DATA[200_000] ^ 1]) + DATA[200_001:])
    seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    got = b""
    with pytest.raises((UnavailableError, SwarmError)):
        async with Download(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)], 1.5) as download:
            async for piece in download.pieces():
                got += piece
    assert DATA.startswith(got)
    assert len(got) <= 200_000


@pytest.mark.parametrize("ticks", range(4))
async def test_to_cancel_while_something_comes_ends_it(
    ticks: int, start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeder, leecher = await start_session(upload_limit=20_000), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    loop, pieces = asyncio.get_running_loop(), 0

    def cancel(left: int) -> None:
        fetching.cancel() if not left else loop.call_soon(cancel, left - 1)

    def hear(handler: AlertHandler, alert: lt.alert) -> None:
        nonlocal pieces
        handler(alert)
        pieces += isinstance(alert, lt.piece_finished_alert)
        if pieces == 1:
            cancel(ticks)
            pieces += 1

    overhear(monkeypatch, leecher, hear)
    fetching = asyncio.create_task(fetch(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)]))
    await asyncio.wait([fetching], timeout=5)  # the rest would take longer
    assert fetching.cancelled()


async def test_what_comes_while_the_process_has_no_time_counts(start_session: StartSession, tmp_path: Path) -> None:
    seeder, leecher = await start_session(upload_limit=150_000), await start_session()
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    (tmp_path / "got").mkdir()
    async with Download(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)], 0.8) as download:
        await download.first_piece()
        asyncio.get_running_loop().call_soon(time.sleep, 1.0)
        await download.complete()
    assert download.file.read_bytes() == DATA


async def test_it_is_told_who_sends_wrong_pieces(start_session: StartSession, tmp_path: Path) -> None:
    seeder, first, leecher = [await start_session() for _ in range(3)]
    torrent = torrent_of(tmp_path / "seed")
    seeder.seed(torrent, tmp_path / "seed")
    # libtorrent checks what it seeds when that is asked for first, and sends what it says from then on.
    assert await fetch(first, torrent.ref, tmp_path / "first", [endpoint(seeder)]) == DATA
    await first.stop()
    with (tmp_path / "seed" / NAME).open("r+b") as file:
        file.write(bytes(len(DATA)))
    (tmp_path / "got").mkdir()
    told: list[Endpoint] = []
    with pytest.raises(UnavailableError):
        async with Download(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)], 1.5) as download:
            download.tell_of_bans(told.append)
            await download.complete()
    assert {*told} == {endpoint(seeder)}


async def test_an_honest_seeder_beside_a_damaged_one(start_session: StartSession, tmp_path: Path) -> None:
    honest, damaged, leecher = [await start_session() for _ in range(3)]
    torrent = torrent_of(tmp_path / "seed")
    honest.seed(torrent, tmp_path / "seed")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / NAME).write_bytes(bytes(len(DATA)))
    damaged.seed(torrent, tmp_path / "bad")
    assert await fetch(leecher, torrent.ref, tmp_path / "got", [endpoint(damaged), endpoint(honest)]) == DATA


async def test_a_torrent_that_lies_about_its_sha512(start_session: StartSession, tmp_path: Path) -> None:
    """It arrives whole: that these are other bytes shows only in the SHA-512, which the store checks."""
    seeder, leecher = await start_session(), await start_session()
    lie = DATA[::-1]
    (tmp_path / NAME).write_bytes(lie)
    torrent = make_torrent(tmp_path / NAME, sha512(DATA))
    seeder.seed(torrent, tmp_path)
    assert await fetch(leecher, torrent.ref, tmp_path / "got", [endpoint(seeder)]) == lie
