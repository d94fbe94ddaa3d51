"""A tarball that was found, or that is being fetched for several clients."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from libreseed.delivery.blobs.spooled_stream import SpooledStream, read_checked, read_file
from libreseed.delivery.sources import Source
from libreseed.errors import LibreseedError


@dataclass(frozen=True, slots=True)
class FoundTarball:
    """A tarball: a complete file, its bytes, or the stream of a running fetch.

    `length` is in bytes, None if it is not known. Not `is_named`: only the client says that these bytes are that
    tarball.
    """

    source: Source
    length: int | None
    file: Path | None = None
    stream: SpooledStream | None = None
    digest: bytes | None = None
    data: bytes | None = None
    is_named: bool = True

    def read(self) -> AsyncIterator[bytes]:
        """Yield its bytes. Raises StoreError, IntegrityError when they are damaged, and what the fetch raises."""
        if self.stream is not None:
            return self.stream.read()
        if self.data is not None:
            return _whole(self.data)
        if self.file is None:
            raise ValueError("a tarball without bytes")
        return read_file(self.file) if self.digest is None else read_checked(self.file, self.digest)


class SharedDownload:
    """A fetch that several clients wait for. They read the first stream that is offered, or else the complete file."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._found: asyncio.Future[FoundTarball] = loop.create_future()
        self._complete: asyncio.Future[FoundTarball] = loop.create_future()
        self._stream: SpooledStream | None = None

    async def found(self) -> FoundTarball:
        """Wait until there is something to read. Raises what the fetch failed with."""
        return await asyncio.shield(self._found)

    async def complete(self) -> FoundTarball:
        """Wait until the tarball is complete and stored. Raises what the fetch failed with."""
        return await asyncio.shield(self._complete)

    def offer(self, source: Source, stream: SpooledStream, digest: bytes | None) -> SpooledStream:
        """Offer a stream to the waiting clients; it is ignored when they read another already. Returns `stream`."""
        if self._stream is None:
            self._stream = stream
            self._found.set_result(FoundTarball(source, length=stream.length, file=None, stream=stream, digest=digest))
        return stream

    def release(self, stream: SpooledStream) -> None:
        """Close a stream unless it is the one that clients read, which stays open to the end of the fetch."""
        if stream is not self._stream:
            stream.close()

    def finish(self, tarball: FoundTarball) -> None:
        """End the fetch: the tarball is complete and stored."""
        if self._stream is not None and tarball.file is not None:
            self._stream.finish(tarball.file)
            self._stream.close()
        for future in (self._found, self._complete):
            if not future.done():
                future.set_result(tarball)

    def fail(self, error: LibreseedError) -> None:
        """End the fetch by an error, which waiting clients get."""
        if self._stream is not None:
            self._stream.fail(error)
            self._stream.close()
        for future in (self._found, self._complete):
            if not future.done():
                future.set_exception(error)
            if future.done() and not future.cancelled():
                future.exception()  # retrieved, so that asyncio logs no warning when nobody waits


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
