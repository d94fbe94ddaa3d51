"""Neighbours are asked first, many blobs at a time; what they say is a claim like any other."""

import asyncio
from collections import Counter

import pytest

from libreseed.network.overlay import inquiry as inquiry_module
from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.holder_search import FROM_MANY
from libreseed.network.overlay.inquiry import BACK_OFF, Inquiry
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.udp.wire import Fields
from libreseed.trust.records import Endpoint
from network.conftest import RawPeer, RawPeers, Spawn, Surround
from network.helpers import blob, text

KNOWN = 6000
"""The BitTorrent port of who has delivered."""


def rank(endpoint: Endpoint) -> float:
    return -1.0 if endpoint[1] == KNOWN else 0.0


async def nearby(node: Overlay, held: HeldBlob) -> list[int]:
    """Return the BitTorrent ports of the holders found."""
    return [claim.endpoint[1] async for claim in node.find_holders(held.digest, nearby=True)]


async def ports(inquiry: Inquiry, held: HeldBlob) -> list[int]:
    """Return the overlay ports of those who say that they hold it, in the order of their answers."""
    return [holder.address[1] async for holder in inquiry.holders(held.target)]


def methods(peer: RawPeer) -> Counter[str]:
    return Counter(method for method, _ in peer.requests)


def holding(peer: RawPeer, *blobs: HeldBlob, p2p_port: int = 5000) -> None:
    """Let a raw peer say that it holds these."""
    known = {held.target: held.target + held.pack_reference() for held in blobs}

    def have(_: object, fields: Fields) -> Fields:
        peer.requests.append(("have", fields))
        targets = [fields[2][at : at + 20] for at in range(0, len(fields[2]), 20)]
        return [peer.node_id, p2p_port, b"".join(known.get(target, b"") for target in targets), 0]

    peer.handlers["have"] = have


async def test_a_neighbour_says_what_it_holds_and_nobody_else_is_asked(spawn: Spawn, raw_peer: RawPeers) -> None:
    holder, other = await spawn(), await raw_peer()
    await holder.announce([held := blob()])
    asker = await spawn(holder)
    await asker.bootstrap([text(other.address)])
    before = methods(other)["find"]
    assert await nearby(asker, held) == [4000]
    assert methods(other)["find"] == before


async def test_what_no_neighbour_holds_is_looked_up(spawn: Spawn) -> None:
    nodes = [await spawn()]
    nodes += [await spawn(nodes[0]) for _ in range(2)]
    held = blob()
    await nodes[1].announce([held])
    await nodes[1].stop()
    assert await nearby(nodes[2], held) == [4001]


async def test_large_blobs_are_sought_everywhere(spawn: Spawn) -> None:
    nodes = [await spawn()]
    nodes += [await spawn(nodes[0]) for _ in range(3)]
    small = blob()
    large = HeldBlob(small.digest, small.v1, small.v2, FROM_MANY)
    for node in nodes[:3]:
        await node.announce([large])
    assert sorted(await nearby(nodes[3], large)) == [4000, 4001, 4002]


async def test_what_is_wanted_at_once_is_asked_for_together(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, peer = await spawn(), await raw_peer()
    await node.bootstrap([text(peer.address)])
    blobs = [blob() for _ in range(40)]
    holding(peer, *blobs)
    assert await asyncio.gather(*(nearby(node, held) for held in blobs)) == [[5000]] * 40
    assert methods(peer)["have"] == 3
    assert await asyncio.gather(*(nearby(node, blobs[0]) for _ in range(2))) == [[5000]] * 2
    assert methods(peer)["have"] == 4


async def test_who_has_nothing_is_left_alone_for_a_while(
    surround: Surround, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiry_module, "MAX_MISSES", 3)
    peer = await raw_peer()
    now = 0.0
    inquiry = Inquiry(await surround(peer), lambda _: 0.0, lambda: now)
    for _ in range(5):
        assert await ports(inquiry, blob()) == []
    assert methods(peer)["have"] == 3
    now += BACK_OFF
    assert await ports(inquiry, blob()) == []
    assert methods(peer)["have"] == 4


async def test_who_has_delivered_is_asked_before_strangers(surround: Surround, raw_peer: RawPeers) -> None:
    known, stranger = await raw_peer(p2p_port=KNOWN), await raw_peer()
    inquiry = Inquiry(await surround(known, stranger), rank)
    held, other = blob(), blob()
    holding(known, held, p2p_port=KNOWN)
    holding(stranger, held, other)
    assert await ports(inquiry, held) == [known.address[1]]
    assert "have" not in methods(stranger)
    assert await ports(inquiry, other) == [stranger.address[1]], "what he does not hold others may"


async def test_strangers_are_asked_when_who_has_delivered_is_late(surround: Surround, raw_peer: RawPeers) -> None:
    known, stranger = await raw_peer(p2p_port=KNOWN), await raw_peer()
    inquiry = Inquiry(await surround(known, stranger), rank)
    held = blob()
    holding(stranger, held)
    del known.handlers["have"]
    assert await ports(inquiry, held) == [stranger.address[1]]


async def test_all_who_hold_it_are_named(surround: Surround, raw_peer: RawPeers) -> None:
    peers = [await raw_peer() for _ in range(3)]
    inquiry = Inquiry(await surround(*peers), lambda _: 0.0)
    held = blob()
    for peer in peers:
        holding(peer, held)
    assert sorted(await ports(inquiry, held)) == sorted(peer.address[1] for peer in peers)


async def test_who_does_not_deliver_is_left_alone_for_a_while(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, liar, holder = await spawn(), await raw_peer(), await spawn()
    await node.bootstrap([text(liar.address), text(holder.address)])
    held, other = blob(), blob()
    holding(liar, held, other)
    await holder.announce([other])
    assert await nearby(node, held) == [5000]
    node.doubt_holder(blob().digest)
    assert 5000 in await nearby(node, held)
    node.doubt_holder(held.digest)
    before = methods(liar)["have"]
    assert await nearby(node, other) == [4001]
    assert methods(liar)["have"] == before


@pytest.mark.parametrize("answer", [b"x", b"x" * 78, "text", [1]])
async def test_what_was_not_asked_for_or_is_malformed_counts_for_nothing(
    spawn: Spawn, raw_peer: RawPeers, answer: object
) -> None:
    node, peer = await spawn(), await raw_peer()
    await node.bootstrap([text(peer.address)])
    peer.handlers["have"] = lambda _, __: [peer.node_id, 5000, answer]
    assert await nearby(node, blob()) == []


async def test_silence_costs_no_more_than_a_late_answer(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, peer, holder = await spawn(), await raw_peer(), await spawn()
    await node.bootstrap([text(peer.address), text(holder.address)])
    del peer.handlers["have"]
    await holder.announce([held := blob()])
    assert await nearby(node, held) == [4001]
    async with asyncio.timeout(5):
        assert await nearby(node, blob()) == []
