"""Blobs: immutable files named by the hex SHA-512 of their bytes, under `.libreseed_modules/.swarm`.

A file is written under a temporary name, checked, flushed to the disk and renamed, so that a file under its final name
is complete. The swarm seeds these same files.

Each file gets the modification time `_STAMP`. One `stat` therefore tells whether somebody has written to it since, and
only then is it hashed again. Corruption by a failing disk leaves that time as it is: small blobs are hashed each time
that they are read, others as they are sent, and `libreseed doctor --verify` reads all.

Only a wrong hash proves that a blob is damaged. It is then set aside, below `damaged`, and never deleted: it may be the
last copy of what was published here.
"""

import asyncio
import errno
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from libreseed.errors import IntegrityError, StoreError
from libreseed.store.durability import sync_to_disk
from libreseed.store.files import keep_private

_NAME = re.compile("[0-9a-f]{128}")
_STAMP = 499_162_500 * 10**9
"""Nanoseconds since the epoch: the modification time that `npm pack` gives to every file."""
_CACHED = 512 << 10
"""Bytes up to which a blob is read on the event loop, if it is in the page cache."""
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""Linux's flag of preadv(2) to read from the page cache only; None on other systems."""
_flush: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
_SPARE = 1 << 20
"""Bytes of the disk that are left free for the database and its write-ahead log."""


class Condition(Enum):
    """What became of a blob since it was stored."""

    INTACT = auto()
    DAMAGED = auto()
    GONE = auto()


class BlobStore:
    """The folder of blobs below `swarm_dir`."""

    def __init__(self, swarm_dir: Path) -> None:
        self._blobs = swarm_dir / "blobs"
        self._incoming = swarm_dir / "incoming"
        self._damaged = swarm_dir / "damaged"
        self._numbers = itertools.count()

    @property
    def folder(self) -> Path:
        """The folder in which the blobs are, each as `ab/ab…` by its hex digest."""
        return self._blobs

    async def open(self) -> None:
        """Make the folders, and delete incomplete files of an earlier process. Raises StoreError."""
        await asyncio.to_thread(self._open)

    def path(self, digest: bytes) -> Path:
        """Return where the blob with this SHA-512 is, or would be."""
        return Path(self._place_of(digest))

    def has(self, digest: bytes) -> bool:
        """Tell whether the blob is there; one `stat`."""
        return self.path(digest).exists()

    async def examine(self, digest: bytes, length: int) -> Condition:
        """Tell whether the blob is there and unchanged since it was stored. That takes one `stat`, and hashing the blob
        in a thread only if its modification time has changed. Raises StoreError when it cannot be told."""
        try:
            found = os.stat(self._place_of(digest))  # noqa: PTH116 - hot path
        except (FileNotFoundError, NotADirectoryError):
            return Condition.GONE
        except OSError as error:
            raise _store_error(self.path(digest), error) from error
        if found.st_size != length:
            return Condition.DAMAGED
        if found.st_mtime_ns == _STAMP:
            return Condition.INTACT
        return await asyncio.to_thread(self._examine_bytes, self.path(digest), digest)

    def suspect(self, digest: bytes) -> None:
        """Wrong bytes were read of a blob: let `examine` hash it again."""
        with suppress(OSError):
            os.utime(self._place_of(digest))

    def set_aside(self, digest: bytes) -> Path:
        """Move a damaged blob out of the way, and return where it is now (blocking). Raises StoreError."""
        place = self._damaged / digest.hex()
        try:
            self._damaged.mkdir(exist_ok=True)
            self.path(digest).replace(place)
        except OSError as error:
            raise _store_error(self.path(digest), error) from error
        return place

    def cached(self, digest: bytes, length: int) -> bytes | None:
        """Return the bytes of a blob that is intact, has at most 512 KiB, and is in the page cache; else None. It never
        waits for the disk; the bytes are hashed."""
        if length > _CACHED or _NOWAIT is None:
            return None
        try:
            descriptor = os.open(self._place_of(digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.fstat(descriptor)
            if found.st_size != length or found.st_mtime_ns != _STAMP:
                return None
            data = bytearray(length)
            if os.preadv(descriptor, [data], 0, _NOWAIT) != length:
                return None
            if hashlib.sha512(data).digest() != digest:
                self.suspect(digest)
                return None
            return bytes(data)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    async def has_room(self, length: int) -> bool:
        """Tell whether the disk has 1 MiB more space than the `length` bytes of a blob."""
        try:
            return (await asyncio.to_thread(shutil.disk_usage, self._incoming)).free > length + _SPARE
        except OSError:
            return False

    def incoming_dir(self) -> Path:
        """Make a new empty folder for a blob that is being fetched, on the file system of the store. Raises
        StoreError."""
        try:
            folder = self._incoming / str(next(self._numbers))
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise _store_error(self._incoming, error) from error
        return folder

    def add(self, data: bytes, digest: bytes) -> Path:
        """Store bytes whose SHA-512 must be `digest` (blocking). Raises IntegrityError, StoreError."""
        _check(hashlib.sha512(data).digest(), digest, "What was to be stored")
        file = self._incoming / str(next(self._numbers))
        try:
            file.write_bytes(data)
            return self._place(file, digest)
        except OSError as error:
            raise _store_error(file, error) from error
        finally:
            with suppress(OSError):  # it has been moved
                file.unlink()

    def adopt(self, file: Path, digest: bytes, *, keep: bool = False) -> Path:
        """Check a file in an incoming folder and move it into the store (blocking); the folder goes if nothing else is
        in it. With `keep` it stays where it is too, if the file system can have it in two places.

        Raises IntegrityError, StoreError.
        """
        check_file(file, digest)
        target = self._place(_linked(file) if keep else file, digest)
        with suppress(OSError):
            file.parent.rmdir()
        return target

    async def discard(self, folder: Path) -> None:
        """Remove an incoming folder and what is in it."""
        await asyncio.to_thread(shutil.rmtree, folder, True)

    def sync(self, digest: bytes) -> None:
        """Wait until the disk knows the name of a stored blob, whose bytes it has already (blocking). Raises
        StoreError."""
        folder = self.path(digest).parent
        try:
            for place in (folder, folder.parent):
                sync_to_disk(place)
        except OSError as error:
            raise _store_error(folder, error) from error

    def digests(self) -> Iterator[bytes]:
        """Yield the digest of every blob on disk (blocking); files with other names are skipped."""
        for file in sorted(self._blobs.glob("??/*")):
            if _NAME.fullmatch(file.name):
                yield bytes.fromhex(file.name)

    def verify(self, digest: bytes) -> None:
        """Read a blob and compare its hash (blocking). Raises IntegrityError, StoreError."""
        check_file(self.path(digest), digest)

    def remove(self, digest: bytes) -> None:
        """Delete a blob if it is there (blocking)."""
        self.path(digest).unlink(missing_ok=True)

    def _place_of(self, digest: bytes) -> str:
        name = digest.hex()
        return f"{self._blobs}/{name[:2]}/{name}"

    def _open(self) -> None:
        try:
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._incoming.mkdir(parents=True, exist_ok=True)
            keep_private(self._blobs.parent)
            for number in range(256):
                (self._blobs / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _store_error(self._blobs, error) from error

    def _examine_bytes(self, file: Path, digest: bytes) -> Condition:
        try:
            check_file(file, digest)
        except IntegrityError:
            return Condition.DAMAGED
        with suppress(OSError):
            os.utime(file, ns=(_STAMP, _STAMP))
        return Condition.INTACT

    def _place(self, file: Path, digest: bytes) -> Path:
        target = self.path(digest)
        try:
            os.utime(file, ns=(_STAMP, _STAMP))
            with file.open("rb") as stream:
                _flush(stream.fileno())
            # Should the machine fail before the new name is on the disk, the blob is fetched again.
            file.replace(target)
        except OSError as error:
            raise _store_error(target, error) from error
        return target


def _linked(file: Path) -> Path:
    """Return a second name of a file (blocking), or its own where the file system knows no links."""
    link = file.with_name(f"{file.name}.link")
    try:
        link.hardlink_to(file)
    except OSError:
        return file
    return link


def hash_file(file: Path) -> bytes:
    """Return the SHA-512 of a file (blocking). Raises StoreError."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha512").digest()
    except OSError as error:
        raise _store_error(file, error) from error


def check_file(file: Path, digest: bytes) -> None:
    """Raise IntegrityError unless the file's SHA-512 is `digest` (blocking)."""
    _check(hash_file(file), digest, f"{file.name[:24]}…")


def _check(found: bytes, digest: bytes, what: str) -> None:
    if found != digest:
        raise IntegrityError(f"{what} has sha512 {found.hex()[:24]}… but {digest.hex()[:24]}… was expected.")


def _store_error(path: Path, error: OSError) -> StoreError:
    hint = "Free some space, or move --root." if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Check that path."
    return StoreError(f"Cannot use {path}: {error.strerror or error}.", hint=hint)
