import contextlib
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.network.overlay import messages
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.messages import MAX_NODES, Want
from libreseed.network.overlay.routing import Peer

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.binary())
READERS: list[Callable[[list[object]], object]] = [
    messages.read_header,
    messages.read_find,
    messages.read_store,
    messages.read_announce,
    messages.read_have,
    messages.read_held,
    messages.read_bundle,
    messages.read_join,
    messages.read_members,
    messages.read_told_members,
    lambda fields: messages.read_bundled(fields, "127.0.0.1"),
    lambda fields: messages.read_joined(fields, "127.0.0.1"),
    messages.read_count,
    lambda fields: messages.read_found(fields, "127.0.0.1"),
]


@given(st.lists(ANYTHING, max_size=7), st.sampled_from(READERS))
def test_anything_else_is_refused(fields: list[object], read: Callable[[list[object]], object]) -> None:
    with contextlib.suppress(InvalidInputError):
        read(fields)


def test_nodes_survive_the_way() -> None:
    peers = [Peer(os.urandom(20), "127.0.0.1", 1), Peer(os.urandom(20), "::1", 2)]
    found = messages.read_found([bytes(20), 1, b"token", *messages.pack_nodes(peers), []], "127.0.0.1")
    assert [(peer.id, peer.address) for peer in found.nodes] == [(peer.id, peer.address) for peer in peers]


@pytest.mark.parametrize(
    "fields",
    [
        [bytes(20), 1, b"t", bytes(25), b"", []],
        [bytes(20), 1, b"t", bytes(26 * (MAX_NODES + 1)), b"", []],
        [bytes(20), 1, b"t", bytes(26 * MAX_NODES), bytes(38), []],
        [bytes(20), 1, b"t", b"", b"", ["text"]],
        [bytes(20), 1, bytes(33), b"", b"", []],
        [bytes(20), 1, b"t", b"", b""],
    ],
)
def test_malformed_found(fields: list[object]) -> None:
    if fields[3] == bytes(26 * MAX_NODES):
        node = os.urandom(20) + b"\x7f\0\0\1\0\1"
        fields[3], fields[4] = node * MAX_NODES, os.urandom(20) + bytes(15) + b"\1\0\1"
    with pytest.raises(InvalidInputError):
        messages.read_found(fields, "127.0.0.1")


def test_nodes_that_cannot_be_are_left_out() -> None:
    nodes, _ = messages.pack_nodes([Peer(bytes(20), "127.0.0.1", 1), Peer(bytes(20), "10.0.0.1", 1)])
    found = messages.read_found([bytes(20), 1, b"", nodes, b"", []], "10.0.0.9")
    assert [peer.ip for peer in found.nodes] == ["10.0.0.1"]


@pytest.mark.parametrize(
    "fields",
    [
        [bytes(20), 1, bytes(19), 0],
        [bytes(20), 1, bytes(20), 9],
        [bytes(20), 1, "target of twenty byt", 0],
        [bytes(20), 1, bytes(20), 0, 0],
    ],
)
def test_malformed_find(fields: list[object]) -> None:
    with pytest.raises(InvalidInputError):
        messages.read_find(fields)


def test_find() -> None:
    assert messages.read_find([bytes(20), 1, bytes(20), 2]) == (bytes(20), Want.CLAIMS)


@pytest.mark.parametrize("fields", [[bytes(19), 1], [bytes(20), -1], [bytes(20), 65536], [bytes(20)], ["a" * 20, 1]])
def test_malformed_header(fields: list[object]) -> None:
    with pytest.raises(InvalidInputError):
        messages.read_header(fields)


def test_oversized_store_is_refused() -> None:
    for key_text, item in (("k" * 257, b""), ("k", bytes(1401))):
        with pytest.raises(InvalidInputError):
            messages.read_store([bytes(20), 1, b"token", key_text, item])


def test_values_fit() -> None:
    assert messages.fit([bytes(10)] * 5, 35) == [bytes(10)] * 3


def test_targets_are_limited() -> None:
    for read, most in ((messages.read_have, 14), (messages.read_bundle, 48)):
        targets = [bytes([number]) * 20 for number in range(most + 1)]
        assert read([bytes(20), 1, b"".join(targets[:-1])]) == targets[:-1]
        for packed in (b"".join(targets), b"", bytes(19)):
            with pytest.raises(InvalidInputError):
                read([bytes(20), 1, packed])


def test_introductions_survive_the_way() -> None:
    met = Introduction(2, 5, (("127.0.0.1", 1), ("::1", 2)))
    entry = [bytes(32), *messages.pack_introduction(met)]
    assert messages.read_bundled([bytes(20), 1, [entry]], "127.0.0.1") == [(bytes(32), met)]
    assert messages.read_joined([bytes(20), 1, *messages.pack_introduction(met)], "127.0.0.1") == met
    assert messages.read_bundled([bytes(20), 1, []], "127.0.0.1") == []


@pytest.mark.parametrize(
    "entry",
    [
        [bytes(20), 0, 1, b"", b""],
        [bytes(32), 1, 1, b"", b""],
        [bytes(32), -1, 1, b"", b""],
        [bytes(32), 0, 1, bytes(5), b""],
        [bytes(32), 0, 1, b"", bytes(17)],
        [bytes(32)],
        bytes(32),
    ],
)
def test_malformed_introductions(entry: object) -> None:
    with pytest.raises(InvalidInputError):
        messages.read_bundled([bytes(20), 1, [entry]], "127.0.0.1")


def test_who_is_introduced_must_be_meant_for_us() -> None:
    met = Introduction(1, 2, (("127.0.0.1", 1), ("192.168.1.1", 2), ("203.0.113.7", 3)))
    read = messages.read_joined([bytes(20), 1, *messages.pack_introduction(met)], "192.168.1.9")
    assert ("127.0.0.1", 1) not in read.peers
