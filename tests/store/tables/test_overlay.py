from libreseed.network.overlay.storage import OverlayStorage
from libreseed.store.database import Database
from libreseed.store.tables.overlay import OverlayStore

A, B = b"a" * 32, b"b" * 32


async def test_records(database: Database) -> None:
    shelf: OverlayStorage = OverlayStore(database)
    await shelf.save_record("libreseed:x", A, b"one")
    await shelf.save_record("libreseed:x", A, b"two")
    await shelf.save_record("libreseed:x", B, b"three")
    await shelf.save_record("libreseed:y", A, b"four")
    await shelf.remove_record("libreseed:y", A)
    await shelf.remove_record("libreseed:y", B)
    assert sorted(await shelf.load_records()) == [("libreseed:x", b"three"), ("libreseed:x", b"two")]


async def test_contacts_are_those_of_the_last_session(database: Database) -> None:
    shelf = OverlayStore(database)
    await shelf.save_contacts([("10.0.0.1", 1, 2), ("::1", 3, 4)])
    await shelf.save_contacts([("10.0.0.2", 5, 6), ("10.0.0.2", 5, 7)])
    assert list(await shelf.load_contacts()) == [("10.0.0.2", 5, 7)]


async def test_the_node_id_stays(database: Database) -> None:
    shelf = OverlayStore(database)
    assert await shelf.load_node_id() is None
    await shelf.save_node_id(b"n" * 20)
    assert await OverlayStore(database).load_node_id() == b"n" * 20


async def test_the_first_evidence_stays(database: Database) -> None:
    shelf = OverlayStore(database)
    await shelf.save_evidence("libreseed:x", A, b"1", b"2")
    await shelf.save_evidence("libreseed:x", A, b"3", b"4")
    assert await database.rows("SELECT first, second FROM evidence") == [(b"1", b"2")]
