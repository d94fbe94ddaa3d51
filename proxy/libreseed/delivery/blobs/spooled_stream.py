"""A file on its way: written once as it comes, read at the same time by whoever asked for it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from libreseed.errors import IntegrityError, LibreseedError, StoreError

_CHUNK = 1 << 20


class SpooledStream:
    """Bytes that are being fetched. `length` is what was promised, None when nobody said.

    One writer at a time calls `write`, and at the end `finish` with the complete file, or `fail`. When a writer gives
    up, another may `finish`: readers go on in the complete file, whose bytes are the same.
    """

    def __init__(self, spool: Path, length: int | None) -> None:
        self.length = length
        self.spool = spool
        self.written = 0
        self._file: BinaryIO = spool.open("w+b")
        self._complete: Path | None = None
        self._error: LibreseedError | None = None
        self._changed = asyncio.Event()

    async def write(self, chunk: bytes) -> None:
        """Append. Raises StoreError."""
        try:
            await asyncio.to_thread(os.pwrite, self._file.fileno(), chunk, self.written)
        except OSError as error:
            raise StoreError(f"Cannot write {self.spool}: {error.strerror}.") from error
        self.written += len(chunk)
        self._tell()

    def finish(self, file: Path) -> None:
        """The whole is in `file`, checked."""
        self._complete = file
        self._tell()

    def fail(self, error: LibreseedError) -> None:
        """The rest will not come."""
        self._error = error
        self._tell()

    def close(self) -> None:
        """Let go of the spool file, after `finish` or `fail`; whoever still reads it keeps it open."""
        self._file.close()

    async def read(self) -> AsyncIterator[bytes]:
        """Yield all bytes from the start, each as soon as it is there, but the last one only after `finish`.

        Raises what `fail` was called with.
        """
        at = 0
        if self._error is not None:
            raise self._error
        spool_fd = os.open(os.devnull, os.O_RDONLY) if self._file.closed else os.dup(self._file.fileno())
        with os.fdopen(spool_fd, "rb") as spool:
            while self._complete is None:
                ready = self.written - 1  # the last byte waits for the checksum: nobody takes wrong bytes for whole
                if at < ready:
                    chunk = await asyncio.to_thread(os.pread, spool.fileno(), min(_CHUNK, ready - at), at)
                    at += len(chunk)
                    yield chunk
                elif self._error is not None:
                    raise self._error
                else:
                    await self._changed.wait()
        async for chunk in read_file(self._complete, at):
            yield chunk

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def read_file(file: Path, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from `start` up to `end`, in large chunks. Raises StoreError."""
    try:
        stream, left, chunk = await asyncio.to_thread(_open, file, start, end)
        with stream:
            while chunk:
                left -= len(chunk)
                yield chunk
                chunk = await asyncio.to_thread(stream.read, min(_CHUNK, left)) if left > 0 else b""
    except OSError as error:
        raise StoreError(f"Cannot read {file}: {error.strerror}.") from error


async def read_checked(file: Path, digest: bytes) -> AsyncIterator[bytes]:
    """Yield the bytes of a file of the store, the last of them only when its SHA-512 is `digest`. Raises StoreError,
    IntegrityError: a failing disk changes bytes and not the time by which the store knows a file."""
    strong = hashlib.sha512()
    held_back = b""
    async for chunk in read_file(file):
        if held_back:
            yield held_back
        await asyncio.to_thread(strong.update, chunk)
        held_back = chunk
    if strong.digest() != digest:
        await asyncio.to_thread(os.utime, file)  # from now on the store hashes it before it is used
        raise IntegrityError(f"{file} has other bytes than were stored in it.")
    yield held_back


def _open(file: Path, start: int, end: int | None) -> tuple[BinaryIO, int, bytes]:
    """Return the open file, the number of bytes to read, and the first of them (blocking)."""
    stream = file.open("rb")
    try:
        stream.seek(start)
        left = (os.fstat(stream.fileno()).st_size if end is None else end) - start
        return stream, left, stream.read(min(_CHUNK, max(left, 0)))
    except BaseException:
        stream.close()
        raise
