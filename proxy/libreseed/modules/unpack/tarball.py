"""Unpacks a checked npm tarball into a new folder, and refuses entries that could write or point outside of it.

The result is what npm would have written: the first path component is dropped, `.gitignore` becomes
`.npmignore` when there is none, modes are at least rw-r--r--. Source: npm's `pacote`.
"""

import gzip
import hashlib
import os
import unicodedata
import zlib
from io import BufferedReader

from libreseed.errors import IntegrityError
from libreseed.modules.unpack.linker import clear
from libreseed.modules.unpack.tar import Bytes, Entry, Read, TarReader

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
_TOO_LARGE = "The tarball unpacks to far more than a package may."
_MAX_COMPONENT = 255
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Contents:
    """The paths of what was unpacked, below the package's folder: its `folders`, parents first, beginning with "" for
    the package's own; and its `files`."""

    __slots__ = ("files", "folders")

    def __init__(self) -> None:
        self.folders = {"": None}
        self.files: set[str] = set()


def unpack(tarball: str, digest: bytes | None, target: str) -> Contents:
    """Check the tarball's SHA-512, unless it is None, and unpack it into `target`, which must not exist yet. Blocks.

    Raises IntegrityError: another hash, a broken archive, or one with links, devices, paths that lead outside or
    collide, more than 100,000 entries or 2 GiB, or a compression of more than 1:200. Nothing is left of `target` then.
    """
    with open(tarball, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
        size = os.fstat(file.fileno()).st_size
        data = file.read() if size <= IN_MEMORY else None
        found = hashlib.sha512(data) if data is not None else hashlib.file_digest(file, "sha512")
        if digest is not None and found.digest() != digest:
            raise IntegrityError(f"The bytes do not have the promised sha512 but {found.hexdigest()[:16]}….")
        os.mkdir(target)  # noqa: PTH102
        try:
            file.seek(0)
            return _Unpacking(target).run(TarReader(_open(file, data, size)))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            clear(target)
            raise IntegrityError(f"The tarball is damaged: {error}.") from None
        except BaseException:
            clear(target)
            raise


def _open(file: BufferedReader, data: bytes | None, size: int) -> Read:
    """Return a function that reads the tar stream. A small tarball is inflated as a whole, several times as fast as in
    pieces."""
    limit = min(MAX_BYTES, max(RATIO_FROM, size * MAX_RATIO))
    if data is not None and (whole := _inflate(data)) is not None:
        if len(whole) > limit:
            raise IntegrityError(_TOO_LARGE)
        return _slices(whole)
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return _bounded(gzip.GzipFile(fileobj=file).read if zipped else file.read, limit)


def _inflate(data: bytes) -> bytes | None:
    """Return the inflated archive; None if it has more than 64 MiB, or several gzip members."""
    if data[:2] != _GZIP_MAGIC:
        return data
    inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
    inflated = inflater.decompress(data, IN_MEMORY_INFLATED)
    return inflated if inflater.eof and not inflater.unused_data else None


def _slices(data: bytes) -> Read:
    """Return a function that reads from `data` without copying."""
    view = memoryview(data)
    start = 0

    def read(size: int) -> Bytes:
        nonlocal start
        start += size
        return view[start - size : start]

    return read


def _bounded(read: Read, limit: int) -> Read:
    """Return a function that reads the same, and refuses more than `limit` bytes (a decompression bomb)."""
    left = limit

    def read_bounded(size: int) -> Bytes:
        nonlocal left
        data = read(size)
        left -= len(data)
        if left < 0:
            raise IntegrityError(_TOO_LARGE)
        return data

    return read_bounded


def safe_path(path: str) -> list[str]:
    """Return an entry's path below the package's folder: its components without the first; empty for the folder itself.

    Raises IntegrityError: absolute, with a drive letter, with `..`, a NUL or over-long components.
    """
    if "\0" in path:
        raise IntegrityError(f"The tarball has a path with a NUL character: {path[:120]!r}.")
    portable = path.replace("\\", "/")
    parts = [part for part in path.split("/")[1:] if part and part != "."]
    if (
        portable.startswith("/")
        or (".." in portable and ".." in portable.split("/"))
        or _has_drive(path)
        or (parts and _has_drive(parts[0]))
    ):
        raise IntegrityError(f"The tarball has a path that leads outside of its folder: {path[:120]!r}.")
    if len(path) > _MAX_COMPONENT // 4 and any(map(_is_too_long, parts)):  # four bytes a character at most
        raise IntegrityError(f"The tarball has a path that is too long: {path[:120]!r}….")
    return parts


def _is_too_long(part: str) -> bool:
    return len(part.encode(errors="surrogateescape")) > _MAX_COMPONENT


def _has_drive(path: str) -> bool:
    return path[1:2] == ":" and path[0].isascii() and path[0].isalpha()


class _Unpacking:
    def __init__(self, target: str) -> None:
        self._target = target
        self._spelling: dict[str, str] = {}
        self._contents = Contents()
        self._folders = self._contents.folders
        self._files = self._contents.files

    def run(self, reader: TarReader) -> Contents:
        for number, entry in enumerate(reader):
            if number >= MAX_ENTRIES:
                raise IntegrityError(f"The tarball has more than {MAX_ENTRIES} entries.")
            if entry.is_file:
                if parts := safe_path(entry.path):
                    self._put(parts, entry, reader)
            elif entry.is_folder:
                self._make_folders(safe_path(entry.path))
            else:
                raise IntegrityError(f"The tarball has a link or device: {entry.path[:120]!r}.")
        if not self._files:
            raise IntegrityError("The tarball holds no files.")
        return self._contents

    def _put(self, parts: list[str], entry: Entry, reader: TarReader) -> None:
        """Write a file. A `.gitignore` becomes `.npmignore`, or is dropped where there is one."""
        folder = self._make_folders(parts[:-1])
        name = parts[-1]
        if name == ".gitignore":
            name = ".npmignore"
            if _join(folder, name) in self._files:
                return
        path = _join(folder, name)
        self._claim(path)
        if path in self._folders:
            raise IntegrityError(f"The tarball has a file and a folder of one name: {path[:120]!r}.")
        self._write(path, entry, reader)

    def _make_folders(self, parts: list[str]) -> str:
        """Make a folder and its parents, and return its path."""
        whole = "/".join(parts)
        if whole in self._folders:
            return whole
        path = ""
        for part in parts:
            path = _join(path, part)
            if path in self._folders:
                continue
            self._claim(path)
            if path in self._files:
                raise IntegrityError(f"The tarball has a file and a folder of one name: {path[:120]!r}.")
            os.mkdir(f"{self._target}/{path}")  # noqa: PTH102 - hot path
            self._folders[path] = None
        return whole

    def _claim(self, path: str) -> None:
        """Refuse a path that a case-insensitive or normalising file system would take for one unpacked before."""
        folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        if self._spelling.setdefault(folded, path) != path:
            raise IntegrityError(f"The tarball has two paths that differ only in case: {path[:120]!r}.")

    def _write(self, path: str, entry: Entry, reader: TarReader) -> None:
        place = f"{self._target}/{path}"
        if path in self._files:
            os.unlink(place)  # noqa: PTH108 - hot path
        self._files.add(path)
        descriptor = os.open(place, _NEW_FILE, (entry.mode | 0o666) & ~0o022)
        try:
            for data in reader.content():
                _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _write_all(descriptor: int, data: Bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])
