"""What requests and answers carry (docs/protocol.md, "Overlay messages"). Nothing in here trusts its input.

Every request and answer starts with the sender's node id (20 bytes, or none from a client that wants not to
be asked) and its BitTorrent port (0: none):

    ping      id, port                               → id, port
    find      id, port, target, want                 → id, port, token, nodes, nodes6, values
    store     id, port, token, key text, item        → id, port, accepted (0 or 1)
    announce  id, port, token, packed blobs          → id, port, accepted (number of blobs)
    have      id, port, targets                      → id, port, packed blobs (those of them that it seeds), number of
                                                       other nodes that asked it lately
    bundle    id, port, targets                      → id, port, [[infohash, number, count, peers, peers6], …]: torrents
                                                       that have those of them that it seeds, and who else fetches them
    members   id, port, infohash                     → id, port, packed members of the bundle (empty: unknown)
    join      id, port, target                       → id, port, number, count, peers, peers6: who else fetches it
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from libreseed.errors import InvalidInputError
from libreseed.network.addresses import is_plausible
from libreseed.network.overlay.introductions import MAX_TOLD, Introduction
from libreseed.network.overlay.routing import ID_LENGTH, Peer
from libreseed.trust.records import pack_endpoint, unpack_endpoint

MAX_NODES = 20
MAX_KEY_TEXT = 256
MAX_ITEM = 1400
"""Bytes of an encoded item: BEP 44's largest value, salt and keys, with room for the bencoding."""
MAX_VALUES = 6000
"""Bytes of all values of an answer, so that it stays under one datagram."""
BLOBS_PER_DATAGRAM = 14
"""Blobs announced, or asked about, in one request: as many stay under 1200 bytes, so that nothing is fragmented."""
BUNDLED = 48
"""Blobs asked for in one request: as many targets stay under 1200 bytes."""
MAX_BUNDLES = 16
"""Torrents in one answer."""
MAX_NAMED = 8
"""Peers that are named for each of several torrents, so that the answer stays under one datagram."""
_PEER4, _PEER6 = 6, 18
_NODE4, _NODE6 = ID_LENGTH + _PEER4, ID_LENGTH + _PEER6


class Want(IntEnum):
    """What a `find` asks for besides nodes."""

    NODES = 0
    RECORDS = 1
    CLAIMS = 2


@dataclass(frozen=True, slots=True)
class Header:
    """Who speaks: node id (empty: a client) and BitTorrent port."""

    node_id: bytes
    p2p_port: int


@dataclass(frozen=True, slots=True)
class Found:
    """An answer to `find`. `whole` is false when more values may be there than fitted."""

    token: bytes
    nodes: list[Peer]
    values: list[bytes]

    @property
    def whole(self) -> bool:
        return sum(map(len, self.values)) + MAX_ITEM < MAX_VALUES


def read_header(fields: list[Any]) -> Header:
    """Read the first two fields. Raises InvalidInputError."""
    match fields:
        case [bytes(node_id), int(port), *_] if len(node_id) in (0, ID_LENGTH) and 0 <= port < 1 << 16:
            return Header(node_id, port)
        case _:
            raise InvalidInputError("A message without node id and port.")


def read_find(fields: list[Any]) -> tuple[bytes, Want]:
    """Read a request's target and want. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(target), int(want)] if len(target) == ID_LENGTH and want in tuple(Want):
            return target, Want(want)
        case _:
            raise InvalidInputError("A malformed find.")


def read_store(fields: list[Any]) -> tuple[bytes, str, bytes]:
    """Read a request's token, key text and encoded item. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(token), str(key_text), bytes(item)] if (
            len(token) <= 32 and len(key_text) <= MAX_KEY_TEXT and len(item) <= MAX_ITEM
        ):
            return token, key_text, item
        case _:
            raise InvalidInputError("A malformed store.")


def read_announce(fields: list[Any]) -> tuple[bytes, bytes]:
    """Read a request's token and packed blobs. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(token), bytes(blobs)] if blobs and len(token) <= 32:
            return token, blobs
        case _:
            raise InvalidInputError("A malformed announce.")


def read_have(fields: list[Any]) -> list[bytes]:
    """Read the targets that a request asks about, at most BLOBS_PER_DATAGRAM. Raises InvalidInputError."""
    return _read_targets(fields, BLOBS_PER_DATAGRAM)


def read_bundle(fields: list[Any]) -> list[bytes]:
    """Read the targets that a request wants in one torrent, at most BUNDLED. Raises InvalidInputError."""
    return _read_targets(fields, BUNDLED)


def read_bundled(fields: list[Any], told_by: str) -> list[tuple[bytes, Introduction]]:
    """Read the answer of the node at IP address `told_by` to a bundle: v2 infohashes, and who else fetches each.

    Raises InvalidInputError.
    """
    match fields:
        case [_, _, list(bundles)] if len(bundles) <= MAX_BUNDLES:
            return [_read_bundle_entry(entry, told_by) for entry in bundles]
        case _:
            raise InvalidInputError("A malformed answer to bundle.")


def read_members(fields: list[Any]) -> bytes:
    """Read the v2 infohash of the bundle that a request asks about. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(v2)] if len(v2) == 32:
            return v2
        case _:
            raise InvalidInputError("A malformed members.")


def read_told_members(fields: list[Any]) -> bytes:
    """Read the answer to that: the packed members. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(members)]:
            return members
        case _:
            raise InvalidInputError("A malformed answer to members.")


def read_join(fields: list[Any]) -> bytes:
    """Read the target that a request is about to fetch. Raises InvalidInputError."""
    return _read_targets(fields, 1)[0]


def read_joined(fields: list[Any], told_by: str) -> Introduction:
    """Read the answer of the node at IP address `told_by` to a join. Raises InvalidInputError."""
    return _read_introduction(fields[2:], told_by)


def pack_introduction(introduction: Introduction, most: int = MAX_TOLD) -> list[Any]:
    """Return what an answer says of who else fetches the same: number, count, IPv4 and IPv6 endpoints (BEP 5, 32)."""
    packed = [pack_endpoint(endpoint) for endpoint in introduction.peers[:most]]
    by_family = [b"".join(each for each in packed if len(each) == size) for size in (_PEER4, _PEER6)]
    return [introduction.number, introduction.count, *by_family]


def read_held(fields: list[Any]) -> tuple[bytes, int]:
    """Read the answer to a have: the packed blobs, and how many others asked lately. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(blobs), int(others)]:
            return blobs, others
        case _:
            raise InvalidInputError("A malformed answer to have.")


def read_found(fields: list[Any], told_by: str) -> Found:
    """Read the answer of the node at IP address `told_by` to a find. Raises InvalidInputError."""
    match fields:
        case [_, _, bytes(token), bytes(nodes4), bytes(nodes6), list(values)] if len(token) <= 32 and all(
            isinstance(value, bytes) for value in values
        ):
            nodes = [*_unpack_nodes(nodes4, _NODE4, told_by), *_unpack_nodes(nodes6, _NODE6, told_by)]
            if len(nodes) <= MAX_NODES:
                return Found(token, nodes, values)
    raise InvalidInputError("A malformed answer to find.")


def read_count(fields: list[Any]) -> int:
    """Read the answer to a store or announce. Raises InvalidInputError."""
    match fields:
        case [_, _, int(count)] if count >= 0:
            return int(count)
        case _:
            raise InvalidInputError("A malformed answer to a store or an announce.")


def pack_nodes(peers: Iterable[Peer]) -> tuple[bytes, bytes]:
    """Return the compact node info of IPv4 and of IPv6 peers (BEP 5, BEP 32)."""
    packed = [peer.id + pack_endpoint(peer.address) for peer in peers]
    return b"".join(n for n in packed if len(n) == _NODE4), b"".join(n for n in packed if len(n) == _NODE6)


def fit(values: Iterable[bytes], room: int = MAX_VALUES) -> list[bytes]:
    """Return the first values that fit into `room` bytes together."""
    fitting: list[bytes] = []
    for value in values:
        room -= len(value)
        if room < 0:
            break
        fitting.append(value)
    return fitting


def _read_targets(fields: list[Any], most: int) -> list[bytes]:
    match fields:
        case [_, _, bytes(packed)] if packed and len(packed) % ID_LENGTH == 0 and len(packed) <= most * ID_LENGTH:
            return [packed[at : at + ID_LENGTH] for at in range(0, len(packed), ID_LENGTH)]
        case _:
            raise InvalidInputError("A malformed list of targets.")


def _read_bundle_entry(entry: object, told_by: str) -> tuple[bytes, Introduction]:
    match entry:
        case [bytes(v2), *rest] if len(v2) == 32:
            return v2, _read_introduction(rest, told_by)
        case _:
            raise InvalidInputError("A malformed answer to bundle.")


def _read_introduction(fields: list[Any], told_by: str) -> Introduction:
    match fields:
        case [int(number), int(count), bytes(peers4), bytes(peers6)] if (
            0 <= number < count < 1 << 16 and len(peers4) % _PEER4 == 0 and len(peers6) % _PEER6 == 0
        ):
            packed = [peers4[at : at + _PEER4] for at in range(0, len(peers4), _PEER4)]
            packed += [peers6[at : at + _PEER6] for at in range(0, len(peers6), _PEER6)]
            peers = tuple(endpoint for endpoint in map(unpack_endpoint, packed) if is_plausible(endpoint, told_by))
            return Introduction(number, count, peers[:MAX_TOLD])
        case _:
            raise InvalidInputError("A malformed introduction.")


def _unpack_nodes(data: bytes, size: int, told_by: str) -> list[Peer]:
    if len(data) % size or len(data) > size * MAX_NODES:
        raise InvalidInputError("Compact node info of a wrong length.")
    nodes = []
    for at in range(0, len(data), size):
        endpoint = unpack_endpoint(data[at + ID_LENGTH : at + size])
        if is_plausible(endpoint, told_by):
            nodes.append(Peer(data[at : at + ID_LENGTH], *endpoint))
    return nodes
