import asyncio
import logging
import os
from collections.abc import Collection, Sequence

import pytest
import umsgpack

from libreseed.network.addresses import PUBLIC, Address
from libreseed.network.overlay import neighbours
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.messages import Want
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.recordbook import target_of
from libreseed.network.udp import wire as wires
from network.conftest import RawPeer, RawPeers, Spawn
from network.helpers import blob, eventually, record_of, text
from support.bundles import BundlesBy

KEY = "libreseed:lodash"


async def is_ignored(peer: RawPeer, node: Overlay, method: str, arguments: list[object]) -> bool:
    """Tell whether a request is still unanswered when the next one has its answer."""
    answers: list[object] = []
    peer.wire.request(node.address, method, arguments, answers.append)
    assert await peer.ask(node, "ping")
    return not answers


async def test_store_with_a_token(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node = await raw_peer(), await spawn()
    answer = await peer.ask(node, "store", await peer.token(node), KEY, record_of().encode())
    assert answer
    assert answer[2] == 1
    assert node.held == (1, 0)


@pytest.mark.parametrize("token", [b"", b"guessed!", bytes(32)])
async def test_no_write_without_a_token(spawn: Spawn, raw_peer: RawPeers, token: bytes) -> None:
    peer, node = await raw_peer(), await spawn()
    blobs = blob().target + blob().pack_reference()
    for method, arguments in (("store", [KEY, record_of().encode()]), ("announce", [blobs])):
        answer = await peer.ask(node, method, token, *arguments)
        assert answer
        assert answer[2] == 0
    assert node.held == (0, 0)


async def test_token_of_another_address_is_worth_nothing(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, one, other = await spawn(host="::"), await raw_peer(), await raw_peer("127.0.0.2")
    address = ("127.0.0.1", node.address[1])
    found = await one.wire.call(address, "find", [one.node_id, 5000, bytes(20), 0])
    assert found
    stored = [other.node_id, 5000, found[2], KEY, record_of().encode()]
    refused = await other.wire.call(address, "store", stored)
    assert refused
    assert refused[2] == 0
    assert node.held == (0, 0)


async def test_refusals_are_told_and_logged(spawn: Spawn, raw_peer: RawPeers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "libreseed.network.overlay.service")
    peer, node = await raw_peer(), await spawn()
    token = await peer.token(node)
    for item in (record_of("left-pad").encode(), b"garbage", record_of(expiry=-1).encode()):
        answer = await peer.ask(node, "store", token, KEY, item)
        assert answer
        assert answer[2] == 0
    assert node.held == (0, 0)
    assert len([entry for entry in caplog.records if "refused" in entry.message]) == 3


async def test_claim_has_the_address_that_sent_it(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node, held = await raw_peer(), await spawn(), blob()
    answer = await peer.ask(node, "announce", await peer.token(node), held.target + held.pack_reference())
    assert answer
    assert answer[2] == 1
    assert [claim.endpoint async for claim in node.find_holders(held.digest)] == [("127.0.0.1", 5000)]


async def test_a_neighbour_bundles_what_it_announces(spawn: Spawn) -> None:
    asked: list[list[bytes]] = []

    def bundle(digests: Sequence[bytes], _: Collection[bytes]) -> list[bytes]:
        asked.append([*digests])
        return [bytes([7] * 32)]

    holder = await spawn(bundles=BundlesBy(bundle))
    asker = await spawn(holder)
    held = [blob() for _ in range(3)]
    await holder.announce(held[:2])
    digests = [each.digest for each in held]
    assert await asker.request_bundles(("127.0.0.1", holder.p2p_port), digests) == [(bytes([7] * 32), Introduction())]
    assert asked == [digests[:2]]
    assert await asker.request_bundles(("127.0.0.1", holder.p2p_port + 1), digests) == [], "that is no neighbour"


async def test_who_fetches_the_same_is_introduced(spawn: Spawn) -> None:
    v2 = bytes([7] * 32)
    holder = await spawn(bundles=BundlesBy(lambda *_: [v2]))
    first, second, third = [await spawn(holder) for _ in range(3)]
    held = blob()
    await holder.announce([held])
    here = ("127.0.0.1", holder.p2p_port)
    assert await first.request_bundles(here, [held.digest]) == [(v2, Introduction(0, 1))]
    named = ("127.0.0.1", first.p2p_port)
    assert await second.request_bundles(here, [held.digest]) == [(v2, Introduction(1, 2, (named,)))]
    assert await first.request_bundles(here, [held.digest]) == [
        (v2, Introduction(0, 2, (("127.0.0.1", second.p2p_port),)))
    ]
    assert await third.join(here, held.digest) == Introduction(0, 1), "it is another torrent"
    assert await first.join(here, held.digest) == Introduction(1, 2, (("127.0.0.1", third.p2p_port),))
    assert await first.join(("127.0.0.1", 1), held.digest) is None, "that is no neighbour"


async def test_what_others_fetch_by_its_own_torrent_is_told(spawn: Spawn) -> None:
    asked: list[Collection[bytes]] = []
    holder = await spawn(bundles=BundlesBy(lambda _, fetched: asked.append(fetched) or []))  # type: ignore[func-returns-value]
    first, second = [await spawn(holder) for _ in range(2)]
    one, other = blob(), blob()
    await holder.announce([one, other])
    here = ("127.0.0.1", holder.p2p_port)
    await first.join(here, one.digest)
    for asker in (first, second):
        await asker.request_bundles(here, [one.digest, other.digest])
    assert asked == [set(), {one.digest}]


async def test_who_never_answered_is_named_to_nobody(spawn: Spawn, raw_peer: RawPeers) -> None:
    """Else a forged request would lead others to somebody who asked for nothing."""
    holder, forger = await spawn(), await raw_peer()
    forger.handlers["ping"] = lambda *_: [b"", 0]
    asker = await spawn(holder)
    await holder.announce([held := blob()])
    assert await forger.ask(holder, "join", held.target)
    assert await asker.join(("127.0.0.1", holder.p2p_port), held.digest) == Introduction(0, 1)


async def test_it_is_told_what_is_in_a_bundle(spawn: Spawn) -> None:
    v2 = bytes([7] * 32)
    holder = await spawn(bundles=BundlesBy(members={v2: b"members"}.__getitem__))
    asker = await spawn(holder)
    assert await asker.request_members(("127.0.0.1", holder.p2p_port), v2) == b"members"
    assert await asker.request_members(("127.0.0.1", holder.p2p_port + 1), v2) == b"", "that is no neighbour"


async def test_who_never_answered_is_not_told_what_is_in_a_bundle(spawn: Spawn, raw_peer: RawPeers) -> None:
    """The answer is a hundred times as long as the request, which may be forged."""
    holder, forger = await spawn(bundles=BundlesBy(members=lambda _: b"members")), await raw_peer()
    forger.handlers["ping"] = lambda *_: [b"", 0]
    answer = await forger.ask(holder, "members", bytes(32))
    assert answer
    assert answer[2] == b""


async def test_a_malformed_answer_is_no_bundle(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node = await raw_peer(), await spawn()
    await node.bootstrap([text(peer.address)])
    peer.handlers["members"] = lambda sender, fields: [peer.node_id, 5000, 7]
    assert await node.request_members(("127.0.0.1", 5000), bytes(32)) == b""
    await node.bootstrap([text(peer.address)])
    peer.handlers["bundle"] = lambda sender, fields: [peer.node_id, 5000, b"short"]
    assert await node.request_bundles(("127.0.0.1", 5000), [bytes(64), bytes([1] * 64)]) == []


async def test_announcement_without_a_port_is_ignored(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node, held = await raw_peer(), await spawn(), blob()
    token = await peer.token(node)
    blobs = held.target + held.pack_reference()
    assert await is_ignored(peer, node, "announce", [peer.node_id, 0, token, blobs])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("ping", []),
        ("ping", ["id", 1]),
        ("find", [bytes(20), 1, b"short", 0]),
        ("find", [bytes(20), 1, bytes(20), 7]),
        ("store", [bytes(20), 1, b"token", b"key", b"item"]),
        ("store", [bytes(20), 1, b"token", KEY, bytes(2000)]),
        ("announce", [bytes(20), 1, b"token", "blobs"]),
        ("announce", [bytes(20), 1, b"token", b""]),
        ("join", [bytes(20), 1, b""]),
        ("join", [bytes(20), 1, bytes(40)]),
        ("have", [bytes(20), 1, b""]),
        ("have", [bytes(20), 1, bytes(21)]),
        ("have", [bytes(20), 1, bytes(20 * 15)]),
        ("have", [bytes(20), 1, "x" * 20]),
    ],
)
async def test_malformed_request_is_ignored(
    spawn: Spawn, raw_peer: RawPeers, method: str, arguments: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    peer, node = await raw_peer(), await spawn()
    assert await is_ignored(peer, node, method, arguments)
    assert not caplog.records


async def test_answer_stays_within_a_datagram(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node = await raw_peer(), await spawn()
    for _ in range(30):
        await node.store_record("lodash", record_of())
    answer = await peer.ask(node, "find", target_of(KEY), int(Want.RECORDS))
    assert answer
    assert 10 < len(answer[5]) < 30


async def test_a_request_alone_puts_nobody_into_the_table(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node = await raw_peer(), await spawn()
    del peer.handlers["ping"]
    assert await peer.ask(node, "ping")
    assert await peer.ask(node, "find", bytes(20), 0)
    assert node.peers == 0


async def test_who_answers_enters_the_table(spawn: Spawn, raw_peer: RawPeers) -> None:
    peer, node = await raw_peer(), await spawn()
    await peer.ask(node, "ping")
    await eventually(lambda: node.peers == 1)
    assert node.contacts()[0].p2p_port == 5000


async def test_silent_nodes_are_not_passed_on(
    spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "GIVE_UP", 60.0)
    asker, silent, node = await raw_peer(), await raw_peer(), await spawn()
    await silent.ask(node, "ping")
    await eventually(lambda: node.peers == 1)
    before = await asker.ask(node, "find", bytes(20), 0)
    silent.wire.close()
    asking = asyncio.create_task(node.find_records("lodash"))
    async with asyncio.timeout(5):
        while after := await asker.ask(node, "find", bytes(20), 0):
            if not after[3]:
                break
    asking.cancel()
    assert before
    assert (len(before[3]), len(after[3]) if after else None) == (26, 0)
    assert silent.address[1] in [contact.port for contact in node.contacts()]


def note_pings(peer: RawPeer) -> set[bytes]:
    """Return what a peer is pinged with from now on; one that is sent again counts once."""
    noted: set[bytes] = set()
    receive = peer.wire.datagram_received

    def receive_noting(data: bytes, addr: Address) -> None:
        if data[:1] == b"\x00" and umsgpack.unpackb(data[21:])[0] == "ping":
            noted.add(data)
        receive(data, addr)

    peer.wire.datagram_received = receive_noting
    return noted


async def test_newcomers_are_asked_once_and_few_at_a_time(
    spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MAX_PROBES", 2)
    node = await spawn()
    peers = [await raw_peer() for _ in range(3)]
    pings: list[set[bytes]] = []
    for peer in peers:
        del peer.handlers["ping"]
        pings.append(note_pings(peer))
        for _ in range(3):
            assert await peer.ask(node, "find", bytes(20), 0)
    assert list(map(len, pings)) == [1, 1, 0]


async def test_one_public_address_cannot_fill_the_table(
    spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "MAX_SAME_PREFIX", 2)
    monkeypatch.setattr(neighbours, "scope_of", lambda ip: PUBLIC)
    node = await spawn()
    for peer in [await raw_peer() for _ in range(4)]:
        await node.bootstrap([text(peer.address)])
    assert node.peers == 2


async def test_nobody_takes_anothers_id(spawn: Spawn, raw_peer: RawPeers) -> None:
    node_id = os.urandom(20)
    owner, thief, node = await raw_peer(node_id=node_id), await raw_peer(node_id=node_id), await spawn()
    await owner.ask(node, "ping")
    await eventually(lambda: node.peers == 1)
    await thief.ask(node, "ping")
    await eventually(lambda: len([r for r in owner.requests if r[0] == "ping"]) == 2)
    assert [contact.port for contact in node.contacts()] == [owner.address[1]]


async def test_client_is_answered_but_never_asked(spawn: Spawn) -> None:
    node = await spawn()
    client = await spawn(node, client_only=True)
    await node.store_record("lodash", item := record_of())
    assert await client.find_records("lodash") == [item]
    assert node.peers == 0
    assert client.peers == 1
