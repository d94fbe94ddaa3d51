import os
import random

from libreseed.network.overlay.routing import Peer, Table, distance


def peer(number: int, node_id: bytes | None = None) -> Peer:
    return Peer(node_id or os.urandom(20), "127.0.0.1", number)


def test_closest_are_exact() -> None:
    table = Table(os.urandom(20), 20)
    for port in range(1, 300):
        table.add(peer(port))
    for _ in range(20):
        target = os.urandom(20)
        expected = sorted(table, key=lambda one: distance(one.id, target))[:20]
        assert table.closest(target, 20) == expected


def test_full_bucket_names_its_oldest() -> None:
    own = bytes(20)
    table = Table(own, 2)
    far = [peer(port, b"\xff" + bytes([port]) + os.urandom(18)) for port in range(1, 30)]
    asked = [table.add(one) for one in far]
    assert any(asked)
    assert len(table) < len(far)


def test_any_id_can_be_removed_again() -> None:
    table = Table(os.urandom(20), 2)
    edges = [(1 << bits).to_bytes(20, "big") for bits in range(160)]
    random.shuffle(edges)
    for port, node_id in enumerate(edges, 1):
        table.add(peer(port, node_id))
    while len(table):
        one = next(iter(table))
        table.remove(one)
        assert table.get(one.id) is None


def test_an_address_has_one_id() -> None:
    table = Table(os.urandom(20), 20)
    first, second = peer(7), peer(7)
    table.add(first)
    table.add(second)
    assert list(table) == [second]
