import asyncio
import time

import pytest

from libreseed.network.overlay import replication
from libreseed.network.overlay.recordbook import target_of
from libreseed.network.overlay.storage import MemoryStorage
from network.conftest import RawPeers, Spawn
from network.helpers import eventually, record_of

KEY = "libreseed:lodash"


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "REANNOUNCE", 0.6)


async def test_newcomers_get_what_is_theirs(spawn: Spawn) -> None:
    first = await spawn()
    items = {name: record_of(name) for name in ("a", "b", "c")}
    for name, item in items.items():
        await first.store_record(name, item)
    nodes = [await spawn(first) for _ in range(10)]
    await eventually(lambda: all(node.held[0] == 3 for node in nodes))


async def test_newcomer_far_from_a_key_gets_nothing(spawn: Spawn, raw_peer: RawPeers) -> None:
    storage = MemoryStorage()
    first = await spawn(k=1, storage=storage)
    target = target_of(KEY)
    assert storage.node_id
    own = int.from_bytes(storage.node_id, "big") ^ int.from_bytes(target, "big")
    await first.store_record("lodash", record_of())
    near, far = MemoryStorage(), MemoryStorage()
    near.node_id = target
    far.node_id = bytes(255 - byte for byte in target)
    assert own < int.from_bytes(far.node_id, "big") ^ int.from_bytes(target, "big")
    near_node = await spawn(first, k=1, storage=near)
    await eventually(lambda: near_node.held[0] == 1)
    far_node = await spawn(first, k=1, storage=far)
    assert (await first.store_record("other", record_of("other"))) <= 1
    assert not await (await raw_peer()).records(far_node, "lodash")


async def test_handover_is_bounded(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "MAX_HANDOVER", 2)
    first = await spawn()
    for name in ("a", "b", "c"):
        await first.store_record(name, record_of(name))
    tasks_of_one = len(asyncio.all_tasks()) - 1
    node = await spawn(first)
    await eventually(lambda: node.held[0] == 2)
    await eventually(lambda: len(asyncio.all_tasks()) == 1 + 2 * tasks_of_one)  # nobody hands anything over any more
    assert node.held[0] == 2


async def test_holders_announce_again_without_the_key(
    spawn: Spawn, always_due: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await spawn()
    holder = await spawn(first)
    await first.store_record("lodash", record_of())
    assert holder.held[0] == 1
    await first.stop()
    monkeypatch.setattr(replication.Replication, "welcome", lambda *_: None)
    fresh = await spawn(holder)
    await eventually(lambda: fresh.held[0] == 1)


async def test_expired_is_dropped(spawn: Spawn, always_due: None, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    node = await spawn(storage=storage)
    await node.store_record("lodash", record_of(expiry=60))
    now = time.time()
    monkeypatch.setattr(replication.time, "time", lambda: now + 120)
    await eventually(lambda: node.held[0] == 0)
    await eventually(lambda: not storage.records)
