"""One tarball, found or on its way to all who asked for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from libreseed.delivery.blobs.spooled_stream import SpooledStream, read_file
from libreseed.delivery.sources import Source
from libreseed.errors import LibreseedError


@dataclass(frozen=True, slots=True)
class FoundTarball:
    """A tarball: a whole file, its bytes, or a stream that is still running.

    `length` is in bytes, None if nobody said.
    """

    source: Source
    length: int | None
    file: Path | None = None
    stream: SpooledStream | None = None
    digest: bytes | None = None
    data: bytes | None = None

    def read(self) -> AsyncIterator[bytes]:
        """Yield its bytes. Raises StoreError, and what the fetch raises."""
        if self.stream is not None:
            return self.stream.read()
        if self.data is not None:
            return _whole(self.data)
        if self.file is None:
            raise ValueError("a tarball without bytes")
        return read_file(self.file)


class SharedDownload:
    """A tarball on its way to all who wait for it. The first stream that is offered is the one that they read."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._found: asyncio.Future[FoundTarball] = loop.create_future()
        self._complete: asyncio.Future[FoundTarball] = loop.create_future()
        self._stream: SpooledStream | None = None

    async def found(self) -> FoundTarball:
        """Wait until there is something to read."""
        return await asyncio.shield(self._found)

    async def complete(self) -> FoundTarball:
        """Wait until the whole is in the store."""
        return await asyncio.shield(self._complete)

    def offer(self, source: Source, stream: SpooledStream, digest: bytes | None) -> SpooledStream:
        """Let those who wait read a stream, if they do not read another already."""
        if self._stream is None:
            self._stream = stream
            self._found.set_result(FoundTarball(source, length=stream.length, file=None, stream=stream, digest=digest))
        return stream

    def release(self, stream: SpooledStream) -> None:
        """Close a stream that nobody reads; the one that is read stays open to the end of the download."""
        if stream is not self._stream:
            stream.close()

    def finish(self, tarball: FoundTarball) -> None:
        """Tell all that the whole is in the store."""
        if self._stream is not None and tarball.file is not None:
            self._stream.finish(tarball.file)
            self._stream.close()
        for future in (self._found, self._complete):
            if not future.done():
                future.set_result(tarball)

    def fail(self, error: LibreseedError) -> None:
        """Tell all that it will not come."""
        if self._stream is not None:
            self._stream.fail(error)
            self._stream.close()
        for future in (self._found, self._complete):
            if not future.done():
                future.set_exception(error)
            if future.done() and not future.cancelled():
                future.exception()  # perhaps nobody waits


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
