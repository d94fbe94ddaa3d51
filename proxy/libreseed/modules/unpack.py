"""Unpacks a checked npm tarball into a new folder, and refuses what could reach or harm anything else.

What ends up on disk is what npm would have written: the first path component is dropped, `.gitignore` becomes
`.npmignore` when there is none, modes are at least rw-r--r--. Source: npm's `pacote`.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from libreseed.errors import IntegrityError
from libreseed.modules.tar import Entry, Stream, TarReader

MAX_ENTRIES = 100_000
MAX_BYTES = 2 * 2**30
MAX_RATIO = 200
RATIO_FROM = 32 * 2**20
"""A tarball may unpack to this many bytes whatever its ratio."""

IN_MEMORY = 16 * 2**20
IN_MEMORY_INFLATED = 64 * 2**20
"""Bytes of a tarball up to which it is read, and inflated, in one piece."""

_GZIP_WINDOW = 31
_GZIP_MAGIC = b"\x1f\x8b"
_DRIVE = re.compile(r"[A-Za-z]:")
_MAX_COMPONENT = 255


@dataclass(frozen=True, slots=True)
class Unpacked:
    """How many files a tarball held, and their bytes."""

    files: int
    size: int


def unpack(tarball: Path, digest: bytes | None, target: Path) -> Unpacked:
    """Check the tarball's SHA-512, unless it is None, and unpack it into `target`, which must not exist yet. Blocks.

    Raises IntegrityError: another hash, a broken archive, or one with links, devices, paths that lead outside or
    collide, more than 100,000 entries or 2 GiB, or a compression of more than 1:200. Nothing is left of `target` then.
    """
    with tarball.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read() if size <= IN_MEMORY else None
        found = hashlib.sha512(data) if data is not None else hashlib.file_digest(file, "sha512")
        if digest is not None and found.digest() != digest:
            raise IntegrityError(f"The bytes do not have the promised sha512 but {found.hexdigest()[:16]}….")
        target.mkdir(parents=True)
        try:
            file.seek(0)
            return _Unpacking(target).run(TarReader(_open(file, data, size)))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            shutil.rmtree(target)
            raise IntegrityError(f"The tarball is damaged: {error}.") from None
        except BaseException:
            shutil.rmtree(target)
            raise


def _open(file: BinaryIO, data: bytes | None, size: int) -> Stream:
    """Return the tar stream. A small tarball is inflated at once, which is several times as fast as in pieces."""
    if data is not None and data[:2] == _GZIP_MAGIC:
        inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
        inflated = inflater.decompress(data, IN_MEMORY_INFLATED)
        if inflater.eof and not inflater.unused_data:
            return _Bounded(io.BytesIO(inflated), size)
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return _Bounded(gzip.GzipFile(fileobj=file) if zipped else file, size)


def safe_path(path: str) -> tuple[str, ...]:
    """Return an entry's path below the package's folder: its components without the first; empty for the folder itself.

    Raises IntegrityError: absolute, with a drive letter, with `..`, a NUL or over-long components.
    """
    if "\0" in path:
        raise IntegrityError(f"The tarball has a path with a NUL character: {path[:120]!r}.")
    portable = path.replace("\\", "/")
    if portable.startswith("/") or _DRIVE.match(portable) or ".." in portable.split("/"):
        raise IntegrityError(f"The tarball has a path that leads outside of its folder: {path[:120]!r}.")
    parts = tuple(part for part in path.split("/")[1:] if part not in ("", "."))
    if any(len(part.encode(errors="surrogateescape")) > _MAX_COMPONENT for part in parts):
        raise IntegrityError(f"The tarball has a path that is too long: {path[:120]!r}….")
    if parts and _DRIVE.match(parts[0]):
        raise IntegrityError(f"The tarball has a path that leads outside of its folder: {path[:120]!r}.")
    return parts


class _Bounded:
    """Counts what is read, and stops a decompression bomb."""

    def __init__(self, stream: Stream, packed: int) -> None:
        self._stream = stream
        self._left = min(MAX_BYTES, max(RATIO_FROM, packed * MAX_RATIO))

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise IntegrityError("The tarball unpacks to far more than a package may.")
        return data


class _Unpacking:
    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._spelling: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = {""}
        self._size = 0

    def run(self, reader: TarReader) -> Unpacked:
        for number, entry in enumerate(reader):
            if number >= MAX_ENTRIES:
                raise IntegrityError(f"The tarball has more than {MAX_ENTRIES} entries.")
            if not entry.is_file and not entry.is_folder:
                raise IntegrityError(f"The tarball has a link or device: {entry.path[:120]!r}.")
            parts = safe_path(entry.path)
            if entry.is_folder:
                self._make_folders(parts)
            elif parts and (place := self._place(parts)) is not None:
                self._write(place, entry, reader)
        if not self._files:
            raise IntegrityError("The tarball holds no files.")
        return Unpacked(len(self._files), self._size)

    def _place(self, parts: tuple[str, ...]) -> str | None:
        """Return the relative path to write to, or None for a `.gitignore` beside an `.npmignore`."""
        *folders, file = parts
        self._make_folders(tuple(folders))
        path = "/".join(parts)
        if file == ".gitignore":
            path = "/".join((*folders, ".npmignore"))
            if path in self._files:
                return None
        self._claim(path)
        if path in self._folders:
            raise IntegrityError(f"The tarball has a file and a folder of one name: {path[:120]!r}.")
        return path

    def _make_folders(self, parts: tuple[str, ...]) -> None:
        if "/".join(parts) in self._folders:
            return
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path in self._folders:
                continue
            self._claim(path)
            if path in self._files:
                raise IntegrityError(f"The tarball has a file and a folder of one name: {path[:120]!r}.")
            os.mkdir(f"{self._target}/{path}")  # noqa: PTH102 - hot path
            self._folders.add(path)

    def _claim(self, path: str) -> None:
        """Refuse a path that a case-insensitive or normalising file system takes for another one."""
        folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        if self._spelling.setdefault(folded, path) != path:
            raise IntegrityError(f"The tarball has two paths that differ only in case: {path[:120]!r}.")

    def _write(self, path: str, entry: Entry, reader: TarReader) -> None:
        place = f"{self._target}/{path}"
        if path in self._files:
            Path(place).unlink()
        self._files.add(path)
        self._size += entry.size
        mode = (entry.mode | 0o666) & ~0o022
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            for data in reader.content():
                _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
