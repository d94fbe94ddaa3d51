"""Deterministic torrents: the same bytes give the same infohashes on every node (docs/protocol.md, "Torrents").

One file named by the hex SHA-512 of its bytes, a piece length fixed by its size, hybrid (BEP 52), nothing optional.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.trust.records import BlobRef

MIN_PIECE = 16 << 10
MAX_PIECE = 16 << 20
_PIECES = 512


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
    creator = lt.create_torrent([lt.create_file_entry(file.name, size)], piece_length(size))
    try:
        lt.set_piece_hashes(creator, str(file.parent))
        generated: Any = creator.generate()
    except RuntimeError as error:
        raise SwarmError(f"Cannot hash {file.name[:24]}…: {error}.") from error
    metadata = lt.bencode({key: generated[key] for key in (b"info", b"piece layers") if key in generated})
    hashes = lt.torrent_info(metadata).info_hashes()
    return Torrent(BlobRef(hashes.v1.to_bytes(), hashes.v2.to_bytes(), size, digest), metadata)


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
