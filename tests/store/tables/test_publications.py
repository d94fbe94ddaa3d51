import pytest

from libreseed.errors import StoreError
from libreseed.store.database import Database
from libreseed.store.tables.publications import PublicationStore
from libreseed.trust.history import Event
from libreseed.trust.snapshot import Snapshot, TorrentRef

FIRST = Snapshot(
    {"name": "@s/pkg", "versions": {"1.0.0": {}}},
    {"1.0.0": TorrentRef(b"1" * 20, b"2" * 32, 7)},
    (Event("publish", 1, {"version": "1.0.0"}), Event("dist-tag", 1, {"tag": "latest"})),
)
SECOND = Snapshot(
    {"name": "@s/pkg", "versions": {"1.0.0": {}, "2.0.0": {}}},
    {**FIRST.torrents, "2.0.0": TorrentRef(b"3" * 20, b"4" * 32, 8)},
    (*FIRST.history, Event("publish", 2, {"version": "2.0.0"})),
)


async def test_what_is_published_is_found(database: Database) -> None:
    store = PublicationStore(database)
    await store.open()
    assert await store.find("@s/pkg") is None
    assert not store.has("@s/pkg")
    await store.save(FIRST, 0)
    again = PublicationStore(database)
    await again.open()
    for each in (store, again):
        assert await each.find("@s/pkg") == FIRST
        assert each.names == ["@s/pkg"]
        assert each.has("@s/pkg")


async def test_the_history_grows(database: Database) -> None:
    store = PublicationStore(database)
    await store.save(FIRST, 0)
    await store.save(SECOND, len(FIRST.history))
    assert await store.find("@s/pkg") == SECOND


async def test_the_past_stays(database: Database) -> None:
    """Events are appended: nothing that is saved later changes an earlier one."""
    store = PublicationStore(database)
    await store.save(FIRST, 0)
    forged = Snapshot(SECOND.packument, SECOND.torrents, (Event("publish", 9, {}), *SECOND.history[1:]))
    await store.save(forged, len(FIRST.history))
    found = await store.find("@s/pkg")
    assert found is not None
    assert found.history == SECOND.history


async def test_two_writers_at_the_same_position(database: Database) -> None:
    """The second is refused whole: its packument is not kept without its events."""
    store = PublicationStore(database)
    await store.save(FIRST, 0)
    with pytest.raises(StoreError, match="UNIQUE"):
        await store.save(SECOND, 0)
    assert await store.find("@s/pkg") == FIRST
