import logging
import os

import pytest

from libreseed.errors import StoreError
from libreseed.network.addresses import Contact
from libreseed.network.overlay.persistence import Persistence
from libreseed.network.overlay.recordbook import RecordBook, validate_package
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.network.overlay.writer import StorageWriter
from network.helpers import record_of


class Broken(MemoryStorage):
    async def load_contacts(self) -> list[tuple[str, int, int]]:
        raise StoreError("The disk is gone.")

    async def save_contacts(self, contacts: object) -> None:
        raise StoreError("The disk is gone.")

    async def load_node_id(self) -> bytes | None:
        raise StoreError("The disk is gone.")

    async def save_node_id(self, node_id: bytes) -> None:
        raise StoreError("The disk is gone.")


async def test_the_id_stays() -> None:
    storage = MemoryStorage()
    node_id = await Persistence(storage).node_id()
    assert len(node_id) == 20
    assert await Persistence(storage).node_id() == node_id


async def test_an_id_of_another_length_is_replaced() -> None:
    storage = MemoryStorage()
    storage.node_id = b"short"
    assert await Persistence(storage).node_id() == storage.node_id
    assert len(storage.node_id) == 20


async def test_peers_are_those_of_the_last_session() -> None:
    persistence = Persistence(MemoryStorage())
    await persistence.save_contacts([Contact("192.0.2.1", 4000, 5000), Contact("2001:db8::1", 4001, 0)])
    assert await persistence.last_peers() == [("192.0.2.1", 4000), ("2001:db8::1", 4001)]


async def test_who_knows_nobody_keeps_whom_it_knew() -> None:
    persistence = Persistence(MemoryStorage())
    await persistence.save_contacts([Contact("192.0.2.1", 4000, 5000)])
    await persistence.save_contacts([])
    assert await persistence.last_peers() == [("192.0.2.1", 4000)]


async def test_damaged_records_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    storage, item = MemoryStorage(), record_of()
    writer = StorageWriter(storage)
    await storage.save_record("libreseed:lodash", bytes(32), b"garbage")
    await storage.save_record("libreseed:lodash", item.key, item.encode())
    book = RecordBook(
        os.urandom(20), validate_package, saved=writer.save, removed=writer.remove, evidence=writer.evidence
    )
    await Persistence(storage).load_records(book)
    assert [held.item for held in book] == [item]
    assert ["damaged" in record.message for record in caplog.records] == [True]


async def test_a_broken_storage_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    persistence = Persistence(Broken())
    assert len(await persistence.node_id()) == 20
    assert await persistence.last_peers() == []
    await persistence.save_contacts([Contact("192.0.2.1", 4000, 5000)])
    assert [record.levelno for record in caplog.records] == 4 * [logging.WARNING]
