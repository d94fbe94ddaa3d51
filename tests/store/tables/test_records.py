from dataclasses import replace

from libreseed.store.database import Database
from libreseed.store.tables.records import RecordStore, SignedRecord
from libreseed.trust.items import SignedItem

ITEM = SignedItem(b"k" * 32, b"salt", 5, b"1:v", b"s" * 64)
OURS = SignedRecord("pkg", ITEM, b"d" * 64, 1.5)


async def test_our_own(database: Database) -> None:
    store = RecordStore(database)
    assert await store.find_signed("pkg") is None
    newer = replace(OURS, item=replace(ITEM, seq=6))
    await store.save_signed(OURS)
    await store.save_signed(newer)
    await store.save_signed(replace(OURS, name="a"))
    assert await store.find_signed("pkg") == newer
    assert [record.name for record in await store.list_signed()] == ["a", "pkg"]


async def test_the_newest_seen_by_name_and_publisher(database: Database) -> None:
    store = RecordStore(database)
    await store.save_seen("pkg", ITEM)
    await store.save_seen("pkg", replace(ITEM, seq=7))
    assert await store.find_seen("pkg", ITEM.key) == replace(ITEM, seq=7)
    assert await store.find_seen("pkg", b"o" * 32) is None
    assert await store.find_seen("other", ITEM.key) is None


async def test_the_first_evidence_stays(database: Database) -> None:
    store = RecordStore(database)
    for second in (b"1:b", b"1:c"):
        await store.save_evidence("libreseed:pkg", ITEM, replace(ITEM, value=second))
    rows = await database.rows("SELECT key_text, publisher, first, second FROM evidence")
    assert rows == [("libreseed:pkg", ITEM.key, ITEM.encode(), replace(ITEM, value=b"1:b").encode())]
