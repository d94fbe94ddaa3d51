import os

from libreseed.network.overlay.announcer import _closest, _region
from libreseed.network.overlay.routing import Peer, distance
from network.conftest import RawPeers, Spawn
from network.helpers import blob, eventually, text


class Counted:
    """Takes every announcement of one blob."""

    def __init__(self, node_id: bytes) -> None:
        self.node_id = node_id
        self.calls = 0

    def __call__(self, sender: object, fields: list[object]) -> list[object]:
        self.calls += 1
        return [self.node_id, 5000, 1]


def peers(count: int) -> list[Peer]:
    return [Peer(os.urandom(20), "127.0.0.1", port) for port in range(1, count + 1)]


def nearest(target: bytes, among: list[Peer], count: int) -> list[Peer]:
    return sorted(among, key=lambda peer: distance(target, peer.id))[:count]


def test_small_network_is_one_region() -> None:
    targets = sorted(os.urandom(20) for _ in range(100))
    assert _region(targets, peers(19), 20) == targets


def test_regions_of_a_big_network_are_few_and_well_placed() -> None:
    network = peers(400)
    pending = sorted(os.urandom(20) for _ in range(1000))
    regions, placed = 0, 0
    while pending:
        known = nearest(pending[0], network, 40)
        region = _region(pending, known[:20], 20)
        regions += 1
        for target in region:
            chosen = {known[index].id for index in _closest(target, [(peer, b"") for peer in known], 20)}
            placed += len(chosen & {peer.id for peer in nearest(target, network, 20)})
        pending = pending[len(region) :]
    assert regions < 100
    assert placed / (1000 * 20) > 0.6


async def test_every_neighbour_learns_every_blob(spawn: Spawn) -> None:
    nodes = [first := await spawn(), await spawn(first), await spawn(first)]
    assert await nodes[0].announce([blob() for _ in range(100)]) == 100
    assert [node.held[1] for node in nodes] == [0, 100, 100]


async def test_what_was_announced_alone_reaches_the_first_neighbour(spawn: Spawn) -> None:
    alone = await spawn()
    assert await alone.announce([blob()]) == 0
    other = await spawn(alone)
    await eventually(lambda: other.held[1] == 1)


async def test_without_a_bittorrent_port_nothing_is_announced(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, peer = await spawn(p2p_port=0), await raw_peer()
    await node.bootstrap([text(peer.address)])
    assert await node.announce([held := blob()]) == 0
    other = await spawn(node)
    assert [claim async for claim in other.find_holders(held.digest)] == []
    assert "announce" not in {method for method, _ in peer.requests}


async def test_announced_blobs_are_not_announced_again_at_once(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, peer = await spawn(), await raw_peer()
    await node.bootstrap([text(peer.address)])
    peer.handlers["announce"] = count = Counted(peer.node_id)
    held = blob()
    assert await node.announce([held]) == 1
    assert await node.announce([held]) == 1
    assert count.calls == 1


async def test_withdrawn_is_not_answered(spawn: Spawn) -> None:
    node = await spawn()
    await node.announce([held := blob()])
    node.withdraw(held.digest)
    other = await spawn(node)
    assert [claim async for claim in other.find_holders(held.digest)] == []
