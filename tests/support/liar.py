"""A node that claims to hold what it does not: its torrents are named like the wanted bytes and hold others."""

import asyncio
import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import libtorrent as lt

from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.swarm.torrents import Torrent, piece_length
from libreseed.trust.records import BlobRef


def lying_torrent(folder: Path, digest: bytes, data: bytes) -> Torrent:
    """Make a torrent of `data` under the name of `digest`."""
    (folder / digest.hex()).write_bytes(data)
    creator = lt.create_torrent([lt.create_file_entry(digest.hex(), len(data))], piece_length(len(data)))
    lt.set_piece_hashes(creator, str(folder))
    metadata = lt.bencode(creator.generate())
    hashes = lt.torrent_info(metadata).info_hashes()
    return Torrent(BlobRef(hashes.v1.to_bytes(), hashes.v2.to_bytes(), len(data), digest), metadata)


@contextmanager
def lying_node(
    folder: Path,
    contact: str,
    integrities: Sequence[str],
    *,
    data: bytes = b"not what you want" * 100,
    upload_limit: int = 0,
) -> Iterator[None]:
    """Run a node, joined by `contact`, that claims all these sha512 integrities and serves `data` for them, at most
    `upload_limit` bytes a second."""
    digests = [base64.b64decode(text.removeprefix("sha512-")) for text in integrities]
    folder.mkdir(parents=True)
    ready, end = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    async def lie() -> None:
        session = Session(SessionSettings("127.0.0.1", upload_limit=upload_limit))
        await session.start()
        overlay = Overlay(OverlaySettings(p2p_port=session.port), MemoryStorage())
        await overlay.start()
        try:
            await overlay.bootstrap([contact])
            torrents = [lying_torrent(folder, digest, data) for digest in digests]
            for torrent in torrents:
                session.seed(torrent, folder)
            refs = [torrent.ref for torrent in torrents]
            assert await overlay.announce(HeldBlob(ref.sha512, ref.v1, ref.v2, ref.length) for ref in refs)
            ready.set()
            await asyncio.to_thread(end.wait)
        finally:
            await overlay.stop()
            await session.stop()

    def work() -> None:
        try:
            asyncio.run(lie())
        except BaseException as error:
            errors.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(60)
        assert not errors, errors
        yield
    finally:
        end.set()
        thread.join(30)
    assert not errors, errors
