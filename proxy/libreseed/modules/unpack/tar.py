"""Reads tar streams as npm writes them: files and folders in ustar, with pax and GNU long names.

The standard library's reader takes headers of any size, and interprets kinds of entries that packages must not have.
This one limits headers to 1 MiB, and leaves other kinds to the caller by their type flag.
Source: POSIX.1-2008 `pax`, GNU tar manual.
"""

import zlib
from collections.abc import Callable, Iterator

from libreseed.errors import IntegrityError

BLOCK = 512
MAX_HEADER = 2**20
CHUNK = 256 * 1024

_FILE_FLAGS = frozenset({b"0", b"\0", b"7"})
_FOLDER_FLAG = b"5"


Bytes = bytes | memoryview
Read = Callable[[int], Bytes]
"""Returns the next bytes, at most as many as asked for; fewer mean the end."""


class Entry:
    """One member: its path as written, permission bits, size in bytes and type flag."""

    __slots__ = ("flag", "mode", "path", "size")

    def __init__(self, path: str, mode: int, size: int, flag: bytes) -> None:
        self.path = path
        self.mode = mode
        self.size = size
        self.flag = flag

    @property
    def is_folder(self) -> bool:
        return self.flag == _FOLDER_FLAG or (self.flag == b"\0" and self.path.endswith("/"))

    @property
    def is_file(self) -> bool:
        return self.flag in _FILE_FLAGS and not self.is_folder


class TarReader:
    """Iterates over the entries of a tar stream. `content` yields the bytes of the current one; unread ones are
    skipped."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries. Raises IntegrityError when it is no tar stream or ends early."""
        long_path = ""
        long_size: int | None = None
        while (header := self._next_header()) is not None:
            entry = _parse_header(header)
            if entry.flag in (b"x", b"X", b"L", b"K", b"g"):
                extra = self._extra(entry)
                if entry.flag == b"L":
                    long_path = extra.split(b"\0", 1)[0].decode(errors="replace")
                elif entry.flag in (b"x", b"X"):
                    records = _parse_pax(extra)
                    long_path = records.get(b"path", b"").decode(errors="replace") or long_path
                    long_size = _number(records[b"size"], 10) if b"size" in records else None
                continue
            entry.path = long_path or entry.path
            entry.size = entry.size if long_size is None else long_size
            long_path, long_size = "", None
            self._open(entry.size if entry.is_file else 0)
            yield entry

    def content(self) -> Iterator[Bytes]:
        """Yield the current entry's bytes in chunks of at most 256 KiB."""
        while self._left:
            data = self._read(min(self._left, CHUNK))
            if not data:
                raise IntegrityError("The tarball ends in the middle of a file.")
            self._left -= len(data)
            yield data

    def _open(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK

    def _next_header(self) -> bytes | None:
        if self._left:
            for _ in self.content():
                pass
        blocks = bytes(self._read(self._padding + BLOCK))
        if len(blocks) < self._padding:
            raise IntegrityError("The tarball ends early.")
        header = blocks[self._padding :]
        self._padding = 0
        if header.count(0) == len(header):
            return None
        if len(header) < BLOCK:
            raise IntegrityError("The tarball ends in the middle of a header.")
        return header

    def _extra(self, entry: Entry) -> bytes:
        if entry.size > MAX_HEADER:
            raise IntegrityError(f"The tarball has a header of {entry.size} bytes.")
        self._open(entry.size)
        return b"".join(self.content())


def _parse_header(header: bytes) -> Entry:
    checksum = _sum(header[:256]) + _sum(header[256:]) - _sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156], 8) != checksum:
        raise IntegrityError("The tarball has a header with a wrong checksum.")
    path = _text(header[0:100])
    if header[257:262] == b"ustar" and header[263:265] == b"00" and header[345]:
        path = f"{_text(header[345:500])}/{path}"
    return Entry(path, _number(header[100:108], 8) & 0o777, _number(header[124:136], 8), header[156:157])


def _sum(data: bytes) -> int:
    """Return the sum of at most 256 bytes. It is the lower half of Adler-32 minus one, which is ten times as fast as
    `sum`."""
    return (zlib.adler32(data) & 0xFFFF) - 1


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode(errors="replace")


def _number(value: bytes, base: int) -> int:
    """Return a numeric field: digits up to a NUL or space, or GNU's big-endian form with the top bit set."""
    if base == 8 and value[0] == 0x80:
        return int.from_bytes(value[1:])
    digits = value.split(b"\0", 1)[0].strip()
    try:
        number = int(digits, base) if digits else 0
    except ValueError:
        number = -1
    if number < 0:
        raise IntegrityError("The tarball has a header with a broken number.")
    return number


def _parse_pax(data: bytes) -> dict[bytes, bytes]:
    """Return the records `<length> <key>=<value>\\n` of a pax header."""
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        space = data.find(b" ", start, start + 8)
        end = start + _number(data[start:space], 10) if space > start else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
            raise IntegrityError("The tarball has a broken pax header.")
        records[key] = value
        start = end
    return records
