import asyncio
import logging
import os
import sys
import time

import pytest

from libreseed.errors import NetworkError, RollbackError, StoreError
from libreseed.network.overlay import holder_search
from libreseed.network.overlay.claims import Claim
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import PrivateKey
from network.conftest import RawPeers, Spawn
from network.helpers import blob, eventually, record_of, text

KEY = "libreseed:lodash"


async def chain(spawn: Spawn, count: int) -> list[Overlay]:
    first = await spawn()
    return [first, *[await spawn(first) for _ in range(count - 1)]]


async def test_everybody_finds_what_one_stored(spawn: Spawn) -> None:
    nodes = await chain(spawn, 6)
    item = record_of("@babel/core")
    assert await nodes[0].store_record("@babel/core", item) == 5
    for node in nodes:
        assert await node.find_records("@babel/core") == [item]
    assert await nodes[0].find_records("left-pad") == []


async def test_many_publishers_under_one_name(spawn: Spawn) -> None:
    nodes = await chain(spawn, 3)
    items = [record_of() for _ in range(3)]
    for node, item in zip(nodes, items, strict=True):
        await node.store_record("lodash", item)
    assert {item.key for item in await nodes[0].find_records("lodash")} == {item.key for item in items}


async def test_local_copy_is_only_one_vote(spawn: Spawn, raw_peer: RawPeers) -> None:
    key = PrivateKey.generate()
    old, new = record_of(key=key, seq=1), record_of(key=key, seq=2)
    one, other = await spawn(), await spawn()
    await one.store_record("lodash", old)
    await other.store_record("lodash", new)
    await one.bootstrap([text(other.address)])
    assert await one.find_records("lodash") == [new]
    assert await (await raw_peer()).records(one, "lodash") == [new.encode()]


async def test_older_copy_here_is_brought_up_to_date(spawn: Spawn, raw_peer: RawPeers) -> None:
    key = PrivateKey.generate()
    old, new = record_of(key=key, seq=1), record_of(key=key, seq=2)
    node, peer = await spawn(), await raw_peer()
    await node.store_record("lodash", old)
    peer.handlers["find"] = lambda sender, fields: [peer.node_id, 5000, b"token", b"", b"", [new.encode()]]
    await node.bootstrap([text(peer.address)])
    assert await node.find_records("lodash") == [new]
    assert await peer.records(node, "lodash") == [new.encode()]


async def test_read_repair(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, holder, lacking = await spawn(), await spawn(), await raw_peer()
    await holder.store_record("lodash", item := record_of())
    await node.bootstrap([text(lacking.address), text(holder.address)])
    await eventually(lambda: node.peers == 2)
    await node.find_records("lodash")
    await eventually(lambda: any(method == "store" for method, _ in lacking.requests))
    stored = next(fields for method, fields in lacking.requests if method == "store")
    assert stored[2:] == [b"tokenfor", KEY, item.encode()]


async def test_liars_do_not_spoil_the_answer(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, holder, liar = await spawn(), await spawn(), await raw_peer()
    await holder.store_record("lodash", item := record_of())
    forged = SignedItem(item.key, item.salt, item.seq + 1, item.value, item.signature)
    values = [b"garbage", forged.encode(), record_of("left-pad").encode()]
    liar.handlers["find"] = lambda sender, fields: [liar.node_id, 5000, b"token", b"", b"", values]
    await node.bootstrap([text(liar.address), text(holder.address)])
    await eventually(lambda: node.peers == 2)
    assert await node.find_records("lodash") == [item]


async def test_rollback_of_our_own_is_refused(spawn: Spawn) -> None:
    node, key = await spawn(), PrivateKey.generate()
    await node.store_record("lodash", record_of(key=key, seq=2))
    with pytest.raises(RollbackError):
        await node.store_record("lodash", record_of(key=key, seq=1))


async def test_evidence_of_equivocation_is_kept(spawn: Spawn) -> None:
    key, storage = PrivateKey.generate(), MemoryStorage()
    first, second = (record_of(key=key, seq=1, length=length) for length in (1, 2))
    one, other = await spawn(), await spawn(storage=storage)
    await one.store_record("lodash", first)
    await other.store_record("lodash", second)
    await other.bootstrap([text(one.address)])
    assert set(await other.find_records("lodash")) == {first, second}
    await eventually(lambda: storage.evidence == {(KEY, key.public): (second.encode(), first.encode())})


async def test_session_is_taken_up_again(spawn: Spawn) -> None:
    storage, item = MemoryStorage(), record_of()
    node = await spawn(storage=storage)
    await node.store_record("lodash", item)
    await node.stop()
    node_id = storage.node_id
    again = await spawn(storage=storage)
    assert await again.find_records("lodash") == [item]
    assert storage.node_id == node_id


async def test_damaged_storage_is_no_end(spawn: Spawn, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStorage):
        async def load_contacts(self) -> list[tuple[str, int, int]]:
            raise StoreError("The disk is gone.")

        async def save_record(self, key_text: str, publisher: bytes, item: bytes) -> None:
            raise StoreError("The disk is gone.")

        async def save_node_id(self, node_id: bytes) -> None:
            raise StoreError("The disk is gone.")

    storage = Broken()
    storage.records[KEY, bytes(32)] = b"garbage"
    node = await spawn(storage=storage)
    await node.store_record("lodash", item := record_of())
    assert await node.find_records("lodash") == [item]
    await eventually(lambda: len(caplog.records) == 4)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_holders_are_found(spawn: Spawn) -> None:
    nodes = await chain(spawn, 4)
    held = blob()
    for node in nodes[:2]:
        await node.announce([held])
    claims = {claim async for claim in nodes[3].find_holders(held.digest)}
    assert claims == {Claim(held.digest, held.v1, held.v2, held.length, ("127.0.0.1", port)) for port in (4000, 4001)}


async def test_holder_answers_for_itself(spawn: Spawn) -> None:
    holder = await spawn()
    await holder.announce([held := blob()])
    asker = await spawn(holder, p2p_port=0)
    assert [claim.endpoint async for claim in asker.find_holders(held.digest)] == [("127.0.0.1", 4000)]


async def test_claims_outlive_their_holders_absence(spawn: Spawn) -> None:
    nodes = await chain(spawn, 3)
    await nodes[0].announce([held := blob()])
    await nodes[0].stop()
    assert [claim.endpoint async for claim in nodes[2].find_holders(held.digest)] == [("127.0.0.1", 4000)]


async def test_claims_are_bounded(spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder_search, "MAX_CLAIMS", 3)
    node, liar, held = await spawn(), await raw_peer(), blob()
    await node.bootstrap([text(liar.address)])
    claims = [held.pack_reference() + b"\x7f\0\0\1\0" + bytes([port]) for port in range(1, 20)]
    liar.handlers["find"] = lambda sender, fields: [liar.node_id, 5000, b"token", b"", b"", claims]
    assert len([claim async for claim in node.find_holders(held.digest)]) == 3


async def test_port_may_be_set_before_the_start() -> None:
    one, other = (Overlay(OverlaySettings(), MemoryStorage()) for _ in range(2))
    one.p2p_port = 4321
    await one.start()
    await other.start()
    await other.bootstrap([text(one.address)])
    assert [contact.p2p_port for contact in other.contacts()] == [4321]
    await one.stop()
    await other.stop()


async def test_stopped_overlay_says_so(spawn: Spawn) -> None:
    node = await spawn()
    await node.stop()
    await node.stop()
    assert node.peers == 0
    with pytest.raises(NetworkError):
        await node.find_records("lodash")


async def test_stopping_ends_who_waits(spawn: Spawn, raw_peer: RawPeers) -> None:
    silent, node = await raw_peer(), await spawn()
    await node.bootstrap([text(silent.address)])
    silent.wire.close()
    waiting = asyncio.ensure_future(node.find_records("lodash"))
    await asyncio.sleep(0)
    started = time.monotonic()
    await node.stop()
    assert await waiting == []
    assert time.monotonic() - started < 1


async def test_thousands_of_claims_are_announced_at_once(spawn: Spawn) -> None:
    nodes = await chain(spawn, 3)
    blobs = [blob() for _ in range(5000)]
    started = time.monotonic()
    assert await nodes[0].announce(blobs) == 5000
    assert time.monotonic() - started < 3  # 0.3 s on the machine it was written on
    assert [node.held[1] for node in nodes[1:]] == [5000, 5000]


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on Windows")
def test_uvloop() -> None:
    import uvloop

    async def meet() -> None:
        held = blob()
        nodes = [
            Overlay(OverlaySettings(host=host, p2p_port=4000), MemoryStorage()) for host in ("::", "127.0.0.1", "::1")
        ]
        for node in nodes:
            await node.start()
        await nodes[0].bootstrap([text(node.address) for node in nodes[1:]])
        await eventually(lambda: nodes[0].peers == 2)
        await nodes[0].announce([held])
        for node in nodes[1:]:
            assert len([claim async for claim in node.find_holders(held.digest)]) == 1
        assert [claim async for claim in nodes[1].find_holders(os.urandom(64))] == []
        for node in nodes:
            await node.stop()

    uvloop.run(meet())
