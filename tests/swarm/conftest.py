from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from libreseed.packages.integrity import sha512
from libreseed.swarm.session import Session
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
