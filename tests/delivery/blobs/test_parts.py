"""What a transfer has brought is checked when it is on the disk."""

from pathlib import Path

import pytest

from libreseed.errors import IntegrityError
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue
from libreseed.swarm.download import Download
from libreseed.swarm.seeding import Incoming
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from support.seeding import make_fetcher
from swarm.conftest import torrent_of

DATA = b"what has come"


@pytest.mark.parametrize("late", [True, False])
async def test_bytes_that_were_not_on_the_disk_yet_are_nobodys_lie(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libtorrent tells of one flush too many when a torrent was paused."""
    database = await Database.open(tmp_path / "libreseed.db")
    blobs = BlobStore(tmp_path / ".swarm")
    await blobs.open()
    session = Session(SessionSettings("127.0.0.1"))
    await session.start()
    overlay = Overlay(OverlaySettings(), MemoryStorage())
    swarm = make_fetcher(overlay, session, blobs, Catalogue(database)).swarm
    file = blobs.incoming_dir() / sha512(DATA).hex()
    file.write_bytes(bytes(len(DATA)))
    download = Download(session, torrent_of(tmp_path / "held", DATA).ref, file.parent, [], 1.0)

    async def flush() -> None:
        if late:
            file.write_bytes(DATA)

    monkeypatch.setattr(download, "flush", flush)
    assert await swarm.are_right(download, {sha512(DATA): file}) is late
    file.write_bytes(bytes(len(DATA)))
    (outcome,) = await swarm.store(download, [Incoming(file, sha512(DATA), shared=False)])
    assert isinstance(outcome, IntegrityError) is not late
    assert blobs.has(sha512(DATA)) is late
    await session.stop()
    await database.close()
