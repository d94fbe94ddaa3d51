"""Bundles: one torrent of many small blobs, made for one who wants them all (docs/protocol.md, "Bundles").

A torrent costs its session some milliseconds whatever its size, and an install wants a thousand small ones. A bundle
says nothing about its files that is believed: each counts by its own SHA-512.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.swarm.session import Session
from libreseed.swarm.torrents import real_files
from libreseed.swarm.transfer import Transfer
from libreseed.trust import bencode
from libreseed.trust.records import BlobRef, Endpoint

MAX_FILES = 48
MAX_FILE = 1 << 20
"""Bytes of a blob that is bundled, which are one piece at most."""
_NAME = "bundle"


class Member(NamedTuple):
    """A blob of a bundle: its SHA-512, length in bytes, and the root of its hash tree (BEP 52)."""

    digest: bytes
    length: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """The torrent of some blobs: its v2 infohash, and the bencoded torrent file."""

    v2: bytes
    metadata: bytes


def make_bundle(members: Iterable[Member]) -> Bundle:
    """Make the torrent of 2 to 48 blobs of at most 1 MiB; each set of blobs has one only."""
    files: bencode.Bencodable = {
        each.digest.hex().encode(): {b"": {b"length": each.length, b"pieces root": each.root}} for each in members
    }
    info: bencode.Bencodable = {
        b"file tree": files,
        b"meta version": 2,
        b"name": _NAME.encode(),
        b"piece length": MAX_FILE,
    }
    v2 = hashlib.sha256(bencode.encode(info)).digest()
    return Bundle(v2, bencode.encode({b"info": info, b"piece layers": {}}))


def path_in_bundle(digest: bytes) -> str:
    """Return where the blob is in the torrent of a bundle."""
    return f"{_NAME}/{digest.hex()}"


class BundleDownload(Transfer):
    """A download of the bundle with the infohash `v2`, of some of the blobs `wanted`, into `folder` (see `Transfer`).

    `files` are those in it, by SHA-512, once a first piece has come.
    """

    _announced = False

    def __init__(
        self, session: Session, v2: bytes, wanted: Iterable[BlobRef], folder: Path, peer: Endpoint, stall: float
    ) -> None:
        super().__init__(session, lt.info_hash_t(lt.sha256_hash(v2)), folder, [peer], stall)
        self.files: Mapping[bytes, Path] = {}
        self._wanted = {path_in_bundle(ref.sha512): ref for ref in wanted}

    @property
    def label(self) -> str:
        return f"a bundle of {len(self._wanted)} blobs"

    def _check(self, info: lt.torrent_info) -> None:
        files = {path: size for _, path, size in real_files(info)}
        lengths = {path: self._wanted[path].length for path in files if path in self._wanted}
        if files != lengths or info.piece_length() != MAX_FILE:
            raise SwarmError(f"What came as {self.label} has other files than were asked for.")
        self.files = {self._wanted[path].sha512: self._folder / path for path in files}
