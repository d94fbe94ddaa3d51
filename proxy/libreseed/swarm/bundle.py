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
from libreseed.swarm.session import FIRST, NEVER, Session
from libreseed.swarm.shares import LARGE
from libreseed.swarm.torrents import real_files
from libreseed.swarm.transfer import Transfer
from libreseed.trust import bencode

MAX_FILES = 80
"""Blobs of a bundle: what is said of them fits into one datagram of the overlay."""
MAX_FILE = 1 << 20
"""Bytes of a blob that is bundled, which are one piece at most."""
_MEMBER = 64 + 4 + 32
_NAME = "bundle"
_PATH = re.compile(f"(?:{_NAME}/)?([0-9a-f]{{128}})")
"""Of a torrent with one file only, libtorrent gives the name alone."""


class Member(NamedTuple):
    """A blob of a bundle: its SHA-512, length in bytes, and the root of its hash tree (BEP 52)."""

    digest: bytes
    length: int
    root: bytes


class _Place(NamedTuple):
    """Where a blob is in a torrent: its one piece, its path, and its length in bytes."""

    piece: int
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """The torrent of some blobs: its v2 infohash, and the bencoded torrent file."""

    v2: bytes
    metadata: bytes


def make_bundle(members: Iterable[Member]) -> Bundle:
    """Make the torrent of at most 80 blobs of at most 1 MiB; each set of blobs has one only."""
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


def pack_members(members: Iterable[Member]) -> bytes:
    """Return what is in a bundle, 100 bytes for each blob: SHA-512, length as 4 bytes, and root."""
    return b"".join(each.digest + each.length.to_bytes(4) + each.root for each in members)


def unpack_members(packed: bytes) -> list[Member]:
    """Read that. Raises SwarmError when it is not so long as several blobs, at most 80, or one is empty or too long."""
    if not packed or len(packed) % _MEMBER or len(packed) > MAX_FILES * _MEMBER:
        raise SwarmError("What came as the blobs of a bundle has a wrong length.")
    parts = [packed[at : at + _MEMBER] for at in range(0, len(packed), _MEMBER)]
    members = [Member(part[:64], int.from_bytes(part[64:68]), part[68:]) for part in parts]
    if not all(0 < each.length <= MAX_FILE for each in members):
        raise SwarmError("What came as the blobs of a bundle has blobs of a wrong length.")
    return members


def digest_of_path(path: str) -> bytes | None:
    """Return the SHA-512 of the blob at a path in the torrent of a bundle, None for a path that has none."""
    found = _PATH.fullmatch(path)
    return bytes.fromhex(found[1]) if found else None


class BundleDownload(Transfer):
    """A download of the bundle with the infohash `v2` into `folder` (see `Transfer`); some `length` bytes are expected.
    It is `reopened` when some of it may be in the folder already. `metadata`, its torrent file, spares asking for that.

    `choose` is given the blobs in it, lengths in bytes by SHA-512, and returns those that are wanted by now. Of a host
    that fetches it alone the others do not come; together with others they come too, after what is wanted: whatever one
    of them wants, the others probably want soon.
    """

    _announced = False

    def __init__(
        self,
        session: Session,
        v2: bytes,
        folder: Path,
        *,
        stall: float,
        length: int,
        choose: Callable[[Mapping[bytes, int]], Collection[bytes]],
        metadata: bytes = b"",
        reopened: bool = False,
    ) -> None:
        super().__init__(session, lt.info_hash_t(lt.sha256_hash(v2)), folder, (), stall)
        self._by_tcp = length >= LARGE
        self._is_reopened = reopened
        self._metadata = metadata
        self._v2 = v2
        self._choose = choose
        self._blobs: dict[bytes, _Place] = {}
        self._wanted: set[bytes] = set()
        self._taken: set[bytes] = set()
        self._ends = False

    @property
    def label(self) -> str:
        return f"the bundle {self._v2.hex()[:16]}…"

    @property
    def lengths(self) -> dict[bytes, int]:
        """The blobs in it, lengths in bytes by SHA-512; empty until that is known."""
        return {digest: place.size for digest, place in self._blobs.items()}

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return len(self._finished) == len(self._blobs) > 0

    def choose_again(self) -> None:
        """Let more of it come, if more of it is wanted by now."""
        if self._info is not None and self._take_wanted():
            self._go_on()
            self._prioritise(self._info)
            self._changed.set()

    async def next_files(self) -> dict[bytes, Path]:
        """Wait until some of what is wanted is on the disk, and return these files by SHA-512, each once."""
        await self._until(lambda: bool(self._arrived()))
        arrived = self._arrived()
        await self.flush()
        self._taken.update(arrived)
        return {digest: self._folder / self._blobs[digest].path for digest in arrived}

    async def unwanted_files(self) -> dict[bytes, Path]:
        """Return the files that came without being wanted, which are on the disk."""
        await self.flush()
        came = {digest: place for digest, place in self._blobs.items() if place.piece in self._finished}
        return {digest: self._folder / place.path for digest, place in came.items() if digest not in self._taken}

    def detach(self) -> Callable[[], None]:
        self._ends = True
        if self._info is not None and not self.is_whole:
            self._prioritise(self._info)
        return super().detach()

    def _arrived(self) -> list[bytes]:
        return [digest for digest in self._wanted - self._taken if self._blobs[digest].piece in self._finished]

    def _check(self, info: lt.torrent_info) -> None:
        if self._blobs:
            return  # of an earlier try
        layout = info.layout()
        files = [*real_files(info)]
        for index, path, size in files:
            digest = digest_of_path(path)
            if digest is not None and 0 < size <= MAX_FILE:
                self._blobs[digest] = _Place(layout.file_offset(index) // MAX_FILE, path, size)
        if len(self._blobs) != len(files) or len(files) > MAX_FILES or info.piece_length() != MAX_FILE:
            raise SwarmError(f"What came as {self.label} is no bundle.")
        if not self._take_wanted():
            raise SwarmError(f"Nothing in {self.label} is wanted.")

    def _take_wanted(self) -> bool:
        wanted = {*self._choose(self.lengths)}
        new = wanted - (self._wanted - self._taken)
        self._taken -= wanted  # what is wanted again
        self._wanted |= wanted
        return bool(new)

    def _is_done(self) -> bool:
        """Together with others, all of it is to come."""
        if not self._is_alone or not self._blobs:
            return self.is_whole
        return all(self._blobs[digest].piece in self._finished for digest in self._wanted)

    @property
    def _is_alone(self) -> bool:
        _, count = self._place
        return count < 2 or self._ends

    def _priorities(self, info: lt.torrent_info) -> dict[int, int]:
        if self._is_alone:
            return {place.piece: NEVER for digest, place in self._blobs.items() if digest not in self._wanted}
        return {self._blobs[digest].piece: FIRST for digest in self._wanted}
