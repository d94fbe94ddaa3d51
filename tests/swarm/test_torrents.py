import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libreseed.errors import SwarmError
from libreseed.packages.integrity import sha512
from libreseed.swarm.torrents import (
    MAX_PIECE,
    MIN_PIECE,
    Torrent,
    check_metadata,
    info_hashes,
    make_torrent,
    piece_length,
)
from libreseed.trust import bencode
from swarm.conftest import torrent_of


def by_libtorrent(folder: Path, data: bytes) -> bytes:
    """Return the torrent file that libtorrent itself makes of a blob in `folder`."""
    creator = lt.create_torrent([lt.create_file_entry(sha512(data).hex(), len(data))], piece_length(len(data)))
    lt.set_piece_hashes(creator, str(folder))
    generated: Any = creator.generate()
    return lt.bencode({key: generated[key] for key in (b"info", b"piece layers") if key in generated})


def check(folder: Path, data: bytes) -> Torrent:
    """Make a torrent of data and compare it with libtorrent's."""
    torrent = torrent_of(folder, data)
    assert torrent.metadata == by_libtorrent(folder, data)
    hashes = lt.torrent_info(torrent.metadata).info_hashes()
    assert (torrent.ref.v1, torrent.ref.v2) == (hashes.v1.to_bytes(), hashes.v2.to_bytes())
    return torrent


@pytest.mark.parametrize(
    ("data", "v1", "v2"),
    [
        (
            b"libreseed",
            "8ca3a6f16a7ddee452c34b0e8b23bebfc1454386",
            "2df4ebe6ee5d82a888b0cf7f201b9153096119758f0c32562a8289408a11f456",
        ),
        (
            bytes(number % 251 for number in range(1_000_000)),
            "0bad22f2a311ba6f4531dec56de4c974a84718c6",
            "1d85559d52cdc6ae78c80ef2005134958acdc08c2a2f62b607b9b31e84476cac",
        ),
        (
            bytes(number % 251 for number in range(10_000_000)),
            "9e3463154640a5204f95bc2973fafa956f4686f3",
            "bceaa80de10397d1ed6e54ac1203934aa141a69479f8f02b44648e8d75f34817",
        ),
    ],
    ids=["9 bytes", "62 pieces", "306 pieces of 32 KiB"],
)
def test_vectors(tmp_path: Path, data: bytes, v1: str, v2: str) -> None:
    """A change of these is a new protocol version: nodes of the old one would be in other swarms."""
    torrent = check(tmp_path, data)
    assert (torrent.ref.v1.hex(), torrent.ref.v2.hex()) == (v1, v2)
    assert (torrent.ref.length, torrent.ref.sha512) == (len(data), sha512(data))


@pytest.mark.parametrize(
    "size",
    [
        *(1, MIN_PIECE - 1, MIN_PIECE, MIN_PIECE + 1, 3 * MIN_PIECE, 5 * MIN_PIECE + 7),
        *(512 * MIN_PIECE, 512 * MIN_PIECE + 1, 1025 * MIN_PIECE, (512 * 4 + 3) * MIN_PIECE + 5),
    ],
)
def test_sizes_around_the_pieces(tmp_path: Path, size: int) -> None:
    check(tmp_path, random.Random(size).randbytes(size))


def test_the_same_bytes_make_the_same_torrent(tmp_path: Path) -> None:
    first, second = torrent_of(tmp_path / "a"), torrent_of(tmp_path / "b")
    assert first == second
    fields = bencode.decode(first.metadata)
    assert isinstance(fields, dict)
    assert set(fields) == {b"info", b"piece layers"}, "no date, no creator, no tracker"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 80 * MIN_PIECE))
def test_torrents_are_libtorrents(tmp_path: Path, size: int) -> None:
    check(tmp_path, random.Random(size).randbytes(size))


@given(st.integers(1, 1 << 34))
def test_piece_length(size: int) -> None:
    length = piece_length(size)
    assert length.bit_count() == 1
    assert MIN_PIECE <= length <= MAX_PIECE
    assert size <= 512 * length or length == MAX_PIECE
    assert length == MIN_PIECE or size > 512 * (length // 2), "no longer than it must be"


def test_what_no_torrent_is_made_of(tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match="empty"):
        torrent_of(tmp_path, b"")
    misnamed = tmp_path / "name"
    misnamed.write_bytes(b"data")
    with pytest.raises(SwarmError, match="misnamed"):
        make_torrent(misnamed, sha512(b"data"))


def test_metadata_must_be_of_the_one_promised_file(tmp_path: Path) -> None:
    torrent = torrent_of(tmp_path)
    info = lt.torrent_info(torrent.metadata)
    check_metadata(info, torrent.ref)
    for lie in (
        replace(torrent.ref, length=torrent.ref.length + 1),
        replace(torrent.ref, length=torrent.ref.length << 10),
        replace(torrent.ref, sha512=bytes(64)),
        replace(torrent.ref, v1=bytes(20)),
        replace(torrent.ref, v2=bytes(32)),
    ):
        with pytest.raises(SwarmError, match="was promised"):
            check_metadata(info, lie)


def test_info_hashes(tmp_path: Path) -> None:
    torrent = torrent_of(tmp_path)
    assert info_hashes(torrent.ref) == lt.torrent_info(torrent.metadata).info_hashes()
