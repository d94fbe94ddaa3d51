import asyncio
import os
import random
import time
from contextlib import aclosing

import pytest

from libreseed.network.overlay import lookup as lookups
from libreseed.network.overlay.lookup import Lookup
from libreseed.network.overlay.messages import Want, pack_nodes
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.routing import Peer
from libreseed.network.udp import wire
from network.conftest import RawPeers, Spawn, Surround
from network.helpers import blob, eventually, text


def lookup(neighbours: Neighbours, target: bytes) -> Lookup:
    return Lookup(neighbours, target, Want.CLAIMS, size=20, alpha=5)


@pytest.mark.parametrize("dead_share", [0.3, 0.65])
async def test_dead_nodes_cost_little(spawn: Spawn, dead_share: float) -> None:
    first = await spawn()
    nodes = [first] + [await spawn(first) for _ in range(29)]
    await eventually(lambda: all(node.peers >= 20 for node in nodes))
    held = blob()
    await nodes[1].announce([held])
    for node in random.Random(1).sample(nodes[2:], int(30 * dead_share)):
        await node.stop()
    started = time.monotonic()
    claims = [claim async for claim in first.find_holders(held.digest)]
    misses = [claim async for claim in first.find_holders(os.urandom(64))]
    assert time.monotonic() - started < 1.5  # two lookups; a time-out a round would be 5 s and more
    assert len(claims) == 1
    assert not misses


async def test_first_answer_does_not_wait_for_the_dead(spawn: Spawn, raw_peer: RawPeers) -> None:
    asker, holder = await spawn(), await spawn()
    await holder.announce([held := blob()])
    await asker.bootstrap([text(holder.address)])
    dead = [await raw_peer() for _ in range(4)]
    for peer in dead:
        await asker.bootstrap([text(peer.address)])
        peer.wire.close()
    started = time.monotonic()
    async with aclosing(asker.find_holders(held.digest)) as claims:
        assert (await anext(claims)).digest == held.digest
    assert time.monotonic() - started < 0.09


async def test_late_answer_is_waited_for_when_there_is_nothing_else(spawn: Spawn, raw_peer: RawPeers) -> None:
    slow, asker = await raw_peer(), await spawn()
    await asker.bootstrap([text(slow.address)])
    loop = asyncio.get_running_loop()
    receive, held = slow.wire.datagram_received, blob()
    slow.handlers["find"] = lambda sender, fields: [
        slow.node_id, 5000, b"token", b"", b"", [held.pack_reference() + b"\x7f\0\0\1\0\x50"]
    ]  # fmt: skip
    slow.wire.datagram_received = lambda data, addr: loop.call_later(0.3, receive, data, addr)
    assert [claim.endpoint async for claim in asker.find_holders(held.digest)] == [("127.0.0.1", 80)]


async def test_peer_that_answers_under_another_id_does_not_count(surround: Surround, raw_peer: RawPeers) -> None:
    liar = await raw_peer()
    neighbours = await surround(liar)
    liar.handlers["find"] = lambda sender, fields: [os.urandom(20), 5000, b"token", b"", b"", [b"value"]]
    assert (await lookup(neighbours, os.urandom(20)).run()).answered == []


async def test_malformed_answer_counts_against_its_sender_only(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, honest, liar = await spawn(), await spawn(), await raw_peer()
    await node.bootstrap([text(honest.address), text(liar.address)])
    await eventually(lambda: node.peers == 2)
    await honest.announce([held := blob()])
    liar.handlers["find"] = lambda sender, fields: [liar.node_id, 5000, "token", 7, None]
    assert len([claim async for claim in node.find_holders(held.digest)]) == 1
    assert [contact.port for contact in node.contacts()] == [honest.address[1]]


async def test_endless_nearer_nodes_do_not_make_an_endless_walk(
    surround: Surround, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MAX_ASKED", 10)
    liar = await raw_peer()
    neighbours = await surround(liar)
    asked: list[Peer] = []
    find = neighbours.find
    monkeypatch.setattr(neighbours, "find", lambda peer, *rest: (asked.append(peer), find(peer, *rest)))
    target = os.urandom(20)
    ports = iter(range(20_000, 60_000))

    def nearer(sender: object, fields: list[object]) -> list[object]:
        made_up = [Peer(target[:-2] + os.urandom(2), "127.0.0.1", next(ports)) for _ in range(20)]
        return [liar.node_id, 5000, b"token", *pack_nodes(made_up), [b"fruit"]]

    liar.handlers["find"] = nearer
    await lookup(neighbours, target).run()
    assert len(asked) == 10


async def test_the_window_grows_with_silence(spawn: Spawn, surround: Surround, raw_peer: RawPeers) -> None:
    silent = [await raw_peer() for _ in range(12)]
    neighbours = await surround(await spawn(), *silent)
    for peer in silent:
        peer.wire.close()
    started = time.monotonic()
    await Lookup(neighbours, os.urandom(20), Want.NODES, size=20, alpha=1).run()
    assert time.monotonic() - started < 1.0  # one by one, 100 ms each, it is over 1.2 s


async def test_a_walk_has_a_time_limit(surround: Surround, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "TIME_LIMIT", 0.05)
    silent = await raw_peer()
    neighbours = await surround(silent)
    silent.wire.close()
    started = time.monotonic()
    await lookup(neighbours, os.urandom(20)).run()
    assert time.monotonic() - started < 1


async def test_stopping_early_ends_the_walk(spawn: Spawn) -> None:
    first = await spawn()
    nodes = [await spawn(first) for _ in range(5)]
    await nodes[0].announce([held := blob()])
    claims = nodes[1].find_holders(held.digest)
    await anext(claims)
    await claims.aclose()
    assert [claim async for claim in claims] == []


async def test_cancelled_asker_leaves_nothing_behind(
    spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "GIVE_UP", 0.15)
    silent, node = await raw_peer(), await spawn()
    await node.bootstrap([text(silent.address)])
    silent.wire.close()
    asking = asyncio.ensure_future(node.find_records("lodash"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await eventually(lambda: node.peers == 0)


async def test_alone_there_is_nothing_to_wait_for(surround: Surround) -> None:
    assert (await lookup(await surround(), os.urandom(20)).run()).answered == []
