"""Deterministic torrents: the same bytes give the same infohashes on every node (docs/protocol.md, "Torrents").

One file named by the hex SHA-512 of its bytes, a piece length fixed by its size, hybrid (BEP 3 and BEP 52), nothing
optional. They are hashed here and not by libtorrent's `set_piece_hashes`, which lets no other Python run
meanwhile and starts threads for each file.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.trust import bencode
from libreseed.trust.records import BlobRef

MIN_PIECE = 16 << 10
MAX_PIECE = 16 << 20
_PIECES = 512
_BLOCK = 16 << 10
"""Bytes of a leaf of a file's hash tree (BEP 52)."""
_ROOT_KEY = b"11:pieces root32:"
_ZERO = bytes(32)
"""A leaf where the file has ended."""


@dataclass(frozen=True, slots=True)
class Torrent:
    """A blob's torrent: what refers to it, and the bencoded torrent file."""

    ref: BlobRef
    metadata: bytes


def piece_length(size: int) -> int:
    """Return the piece length in bytes for a file of `size` bytes.

    The smallest power of two from 16 KiB to 16 MiB that makes at most 512 pieces.
    """
    length = MIN_PIECE
    while length < MAX_PIECE and size > length * _PIECES:
        length *= 2
    return length


def make_torrent(file: Path, digest: bytes) -> Torrent:
    """Hash a file that bears its digest's hex as name (blocking). Raises SwarmError: empty or unreadable."""
    size = file.stat().st_size
    if size == 0 or file.name != digest.hex():
        raise SwarmError(f"No torrent can be made of {file.name[:24]}…: it is empty or misnamed.")
    length = piece_length(size)
    try:
        with file.open("rb") as stream:
            pieces, leaves = _hash(stream, length)
    except OSError as error:
        raise SwarmError(f"Cannot hash {file.name[:24]}…: {error.strerror}.") from error
    layer = _piece_layer(leaves, length // _BLOCK) if size > length else []
    root = _root(layer, _root([_ZERO] * (length // _BLOCK))) if layer else _root(leaves)
    info: bencode.Bencodable = {
        b"file tree": {file.name.encode(): {b"": {b"length": size, b"pieces root": root}}},
        b"length": size,
        b"meta version": 2,
        b"name": file.name.encode(),
        b"piece length": length,
        b"pieces": b"".join(pieces),
    }
    encoded = bencode.encode(info)
    v1, v2 = hashlib.sha1(encoded, usedforsecurity=False).digest(), hashlib.sha256(encoded).digest()
    layers: bencode.Bencodable = {root: b"".join(layer)} if layer else {}
    return Torrent(BlobRef(v1, v2, size, digest), bencode.encode({b"info": info, b"piece layers": layers}))


def _hash(stream: IO[bytes], length: int) -> tuple[list[bytes], list[bytes]]:
    """Return the SHA-1 of each piece of `length` bytes, and the SHA-256 of each block."""
    pieces, leaves = [], []
    while piece := stream.read(length):
        pieces.append(hashlib.sha1(piece, usedforsecurity=False).digest())
        view = memoryview(piece)
        leaves += [hashlib.sha256(view[at : at + _BLOCK]).digest() for at in range(0, len(piece), _BLOCK)]
    return pieces, leaves


def _piece_layer(leaves: Sequence[bytes], blocks: int) -> list[bytes]:
    """Return the root of each piece of so many blocks, the last one filled up."""
    filled = [*leaves, *[_ZERO] * (-len(leaves) % blocks)]
    return [_root(filled[at : at + blocks]) for at in range(0, len(filled), blocks)]


def _root(nodes: Sequence[bytes], padding: bytes = _ZERO) -> bytes:
    """Return the root of the smallest binary tree that has these nodes, filled up with `padding`, at one level."""
    while len(nodes) > 1:
        even = [*nodes, padding] if len(nodes) % 2 else nodes
        nodes = [hashlib.sha256(even[at] + even[at + 1]).digest() for at in range(0, len(even), 2)]
        padding = hashlib.sha256(padding + padding).digest()
    return nodes[0]


def pieces_root(metadata: bytes) -> bytes:
    """Return the root of the file's hash tree (BEP 52), from the torrent file that `make_torrent` made."""
    return metadata.partition(_ROOT_KEY)[2][:32]


def real_files(info: lt.torrent_info) -> Iterator[tuple[int, str, int]]:
    """Yield number, path and size in bytes of each file that is not there for padding only (BEP 47)."""
    layout = info.layout()
    for index in range(layout.num_files()):
        if not layout.file_flags(index) & lt.file_flags_t.flag_pad_file:
            yield index, layout.file_path(index), layout.file_size(index)


def info_hashes(ref: BlobRef) -> lt.info_hash_t:
    """Return libtorrent's pair of infohashes."""
    return lt.info_hash_t(lt.sha1_hash(ref.v1), lt.sha256_hash(ref.v2))


def check_metadata(info: lt.torrent_info, ref: BlobRef) -> None:
    """Refuse a torrent that is not exactly the promised one file. Raises SwarmError."""
    hashes = info.info_hashes()
    if (
        info.num_files() != 1
        or info.layout().file_path(0) != ref.sha512.hex()
        or info.total_size() != ref.length
        or info.piece_length() != piece_length(ref.length)
        or hashes.v1.to_bytes() != ref.v1
        or hashes.v2.to_bytes() != ref.v2
    ):
        raise SwarmError(f"The torrent {ref.v1.hex()} is not the one file of {ref.length} bytes that was promised.")
