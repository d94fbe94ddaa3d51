"""Nodes, and the desk that records are signed at: a real store, a real session and a real overlay."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.packages.access import AccessRules
from libreseed.publishing.signing import RecordSigner
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.packuments import PackumentStore
from libreseed.store.tables.records import RecordStore
from libreseed.swarm.seeding import Seeding
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.trust.keys import PrivateKey
from support.running import start_node, upstream
from support.seeding import make_seeding

__all__ = ["start_node", "upstream"]

KEY = PrivateKey(bytes(32))


@dataclass
class Desk:
    signer: RecordSigner
    records: RecordStore
    seeding: Seeding
    overlay: Overlay
    packuments: PackumentStore


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        database = await Database.open(tmp_path / "libreseed.db")
        stack.push_async_callback(database.close)
        session = Session(SessionSettings("127.0.0.1"))
        await session.start()
        stack.push_async_callback(session.stop)
        overlay = Overlay(OverlaySettings(), MemoryStorage())
        await overlay.start()
        stack.push_async_callback(overlay.stop)
        blobs = BlobStore(tmp_path / ".swarm")
        await blobs.open()
        seeding = make_seeding(blobs, Catalogue(database), session)[0]
        records = RecordStore(database)
        packuments = PackumentStore(database)
        signer = RecordSigner(
            KEY,
            store=records,
            seeding=seeding,
            overlay=overlay,
            seeders=lambda: (("127.0.0.1", session.port),),
            packuments=packuments,
            access=AccessRules(),
        )
        yield Desk(signer, records, seeding, overlay, packuments)
