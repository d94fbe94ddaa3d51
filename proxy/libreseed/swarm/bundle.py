"""Bundles: one torrent of many small blobs, for those who want them at one moment (docs/protocol.md, "Bundles").

A torrent costs its session some milliseconds whatever its size, and an install wants a thousand small ones. A bundle
says nothing about its files that is believed: each counts by its own SHA-512.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.swarm.session import NEVER, Session
from libreseed.swarm.shares import LARGE
from libreseed.swarm.torrents import real_files
from libreseed.swarm.transfer import Transfer
from libreseed.trust import bencode
from libreseed.trust.records import Endpoint

MAX_FILES = 48
MAX_FILE = 1 << 20
"""Bytes of a blob that is bundled, which are one piece at most."""
_NAME = "bundle"
_PATH = re.compile(f"(?:{_NAME}/)?([0-9a-f]{{128}})")
"""Of a torrent with one file only, libtorrent gives the name alone."""


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


def digest_of_path(path: str) -> bytes | None:
    """Return the SHA-512 of the blob at a path in the torrent of a bundle, None for a path that has none."""
    found = _PATH.fullmatch(path)
    return bytes.fromhex(found[1]) if found else None


class BundleDownload(Transfer):
    """A download of the bundle with the infohash `v2` into `folder` (see `Transfer`); some `length` bytes are expected.

    `choose` is given the blobs in it, lengths in bytes by SHA-512, and returns those that are wanted by now; the others
    do not come. `files` are the wanted ones, by SHA-512, from `first_piece` on.
    """

    _announced = False

    def __init__(
        self,
        session: Session,
        v2: bytes,
        folder: Path,
        *,
        peers: Iterable[Endpoint],
        stall: float,
        length: int,
        choose: Callable[[Mapping[bytes, int]], Collection[bytes]],
    ) -> None:
        super().__init__(session, lt.info_hash_t(lt.sha256_hash(v2)), folder, peers, stall)
        self.files: dict[bytes, Path] = {}
        self._by_tcp = length >= LARGE
        self._v2 = v2
        self._choose = choose
        self._blobs: dict[bytes, tuple[int, str, int]] = {}

    @property
    def label(self) -> str:
        return f"the bundle {self._v2.hex()[:16]}…"

    @property
    def is_whole(self) -> bool:
        """Whether all that is in it was wanted."""
        return len(self.files) == len(self._blobs)

    def choose_again(self) -> None:
        """Let more of it come, if more of it is wanted by now."""
        if self._info is not None and self._take_wanted():
            self._whole, self._flushed, self._grew = False, False, True
            self._prioritise(self._info)
            self._flush_if_whole()  # what was not wanted may have come before libtorrent was told so

    def _check(self, info: lt.torrent_info) -> None:
        if self._blobs:
            return  # of an earlier try
        layout = info.layout()
        files = [*real_files(info)]
        for index, path, size in files:
            digest = digest_of_path(path)
            if digest is not None and 0 < size <= MAX_FILE:
                self._blobs[digest] = layout.file_offset(index) // MAX_FILE, path, size
        if len(self._blobs) != len(files) or len(files) > MAX_FILES or info.piece_length() != MAX_FILE:
            raise SwarmError(f"What came as {self.label} is no bundle.")
        if not self._take_wanted():
            raise SwarmError(f"Nothing in {self.label} is wanted.")

    def _has_all_wanted(self, info: lt.torrent_info) -> bool:
        return all(self._blobs[digest][0] in self._finished for digest in self.files)

    def _take_wanted(self) -> bool:
        wanted = self._choose({digest: size for digest, (_, _, size) in self._blobs.items()})
        new = {digest: self._folder / self._blobs[digest][1] for digest in wanted if digest not in self.files}
        self.files |= new
        return bool(new)

    def _priorities(self, info: lt.torrent_info) -> dict[int, int]:
        unwanted = (piece for digest, (piece, _, _) in self._blobs.items() if digest not in self.files)
        return super()._priorities(info) | dict.fromkeys(unwanted, NEVER)
