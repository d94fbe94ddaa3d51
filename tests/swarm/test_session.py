import asyncio
from pathlib import Path

import libtorrent as lt
import pytest

from libreseed.errors import SwarmError
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.swarm.torrents import info_hashes
from support.running import eventually
from swarm.conftest import StartSession, torrent_of

_UTP = 1 << 17
"""libtorrent's `peer_info::utp_socket`, which its Python binding does not name."""


async def test_a_free_port_is_found(start_session: StartSession) -> None:
    first, second = await start_session(), await start_session()
    assert first.port
    assert second.port
    assert first.port != second.port
    assert first.peers == 0


async def test_a_taken_port(start_session: StartSession) -> None:
    first = await start_session()
    second = Session(SessionSettings("127.0.0.1", first.port))
    with pytest.raises(SwarmError, match="listen"):
        await second.start()


async def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(SwarmError, match="listen"):
        await Session(SessionSettings("192.0.2.1")).start()


async def test_stop(start_session: StartSession, tmp_path: Path) -> None:
    session = await start_session()
    port = session.port
    torrent = torrent_of(tmp_path)
    session.seed(torrent, tmp_path)
    await session.stop()
    await session.stop()
    with pytest.raises(SwarmError, match="not running"):
        session.seed(torrent, tmp_path)
    assert (await start_session(port)).port == port, "the port is free again"


async def test_who_asks_for_its_traffic_is_told_when_it_stops(start_session: StartSession) -> None:
    session = await start_session()
    assert await session.traffic() == (0, 0)
    asking = asyncio.create_task(session.traffic())
    await asyncio.sleep(0)
    await session.stop()
    with pytest.raises(SwarmError, match="not running"):
        await asking


async def test_only_what_is_fetched_by_tcp_is_connected_by_it(start_session: StartSession, tmp_path: Path) -> None:
    holder, asker = await start_session(), await start_session()
    uses_utp = []
    for number, by_tcp in enumerate((False, True, False)):
        torrent = torrent_of(tmp_path / "held", bytes([number]) * 300_000)
        holder.seed(torrent, tmp_path / "held")
        got = tmp_path / f"got-{number}"
        handle = asker.download(
            info_hashes(torrent.ref), got, [("127.0.0.1", holder.port)], lambda _: None, by_tcp=by_tcp
        )
        await eventually(lambda handle=handle: any(each.total_download for each in handle.get_peer_info()))  # type: ignore[misc]
        uses_utp.append([bool(peer.flags & _UTP) for peer in handle.get_peer_info()])
        asker.forget(handle)
    assert uses_utp == [[True], [False], [True]]


async def test_one_torrent_twice(start_session: StartSession, tmp_path: Path) -> None:
    session = await start_session()
    hashes = info_hashes(torrent_of(tmp_path).ref)
    handle = session.download(hashes, tmp_path / "a", [], lambda _: None)
    with pytest.raises(SwarmError, match="Cannot start"):
        session.download(hashes, tmp_path / "b", [], lambda _: None)
    session.forget(handle)
    session.forget(handle)
    session.add_peers(handle, [("127.0.0.1", 1)])
    session.download(hashes, tmp_path / "b", [], lambda _: None)


async def test_no_handle_is_used_of_what_was_removed(
    start_session: StartSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await start_session()
    handle = session.download(info_hashes(torrent_of(tmp_path).ref), tmp_path / "a", [], lambda _: None)
    session.forget(handle)
    await eventually(lambda: not handle.is_valid())
    # libtorrent's own thread removes torrents: it may do so just after a handle was said to be valid.
    monkeypatch.setattr(lt.torrent_handle, "is_valid", lambda _: True)
    session.forget(handle)
    session.add_peers(handle, [("127.0.0.1", 1)])
    with pytest.raises(SwarmError, match="has ended"):
        session.read_piece(handle, 0)


async def test_no_handle_is_used_after_the_stop(start_session: StartSession, tmp_path: Path) -> None:
    session = await start_session()
    handle = session.download(info_hashes(torrent_of(tmp_path).ref), tmp_path / "a", [], lambda _: None)
    stopping = asyncio.create_task(session.stop())
    await asyncio.sleep(0)
    session.add_peers(handle, [("127.0.0.1", 1)])
    session.forget(handle)
    with pytest.raises(SwarmError, match="has ended"):
        session.read_piece(handle, 0)
    await stopping
