from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest

from libreseed.packages.integrity import sha512
from libreseed.swarm.session import AlertHandler, Session
from libreseed.swarm.settings import SessionSettings
from libreseed.swarm.torrents import Torrent, make_torrent
from libreseed.trust.records import Endpoint

DATA = bytes(number % 251 for number in range(300_000))
"""19 pieces."""

StartSession = Callable[..., Awaitable[Session]]


@pytest.fixture
async def start_session() -> AsyncIterator[StartSession]:
    """Start sessions on loopback; all are stopped at the end."""
    sessions: list[Session] = []

    async def start(port: int = 0, **limits: int) -> Session:
        session = Session(SessionSettings("127.0.0.1", port, **limits))
        await session.start()
        sessions.append(session)
        return session

    yield start
    for session in sessions:
        await session.stop()


def torrent_of(folder: Path, data: bytes = DATA) -> Torrent:
    """Write a blob below `folder` and make its torrent."""
    folder.mkdir(exist_ok=True)
    digest = sha512(data)
    (folder / digest.hex()).write_bytes(data)
    return make_torrent(folder / digest.hex(), digest)


def endpoint(session: Session) -> Endpoint:
    return "127.0.0.1", session.port


def seeded(session: Session) -> set[bytes]:
    """Return the v2 infohashes of all torrents in the session."""
    return {handle.info_hashes().v2.to_bytes() for handle in session._session.get_torrents()}


def overhear(monkeypatch: pytest.MonkeyPatch, session: Session, hear: Callable[[AlertHandler, lt.alert], None]) -> None:
    """Let `hear` get the alerts of all downloads that begin, with the handler that they are for."""
    start = session.download

    def download(hashes: lt.info_hash_t, folder: Path, peers: Any, handler: AlertHandler, **options: Any) -> Any:
        return start(hashes, folder, peers, lambda alert: hear(handler, alert), **options)

    monkeypatch.setattr(session, "download", download)
