from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "state" / "libreseed.db")
    yield opened
    await opened.close()


@pytest.fixture
async def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / ".swarm")
    await store.open()
    return store
