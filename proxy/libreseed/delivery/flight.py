"""One tarball on its way to all who asked for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from libreseed.delivery.flow import Flow, read_file
from libreseed.delivery.sources import Source
from libreseed.errors import LibreseedError


@dataclass(frozen=True, slots=True)
class FoundTarball:
    """A tarball: a whole file, its bytes, or a flow that is still running.

    `length` in bytes, None if nobody said.
    """

    source: Source
    length: int | None
    file: Path | None = None
    flow: Flow | None = None
    digest: bytes | None = None
    data: bytes | None = None

    def read(self) -> AsyncIterator[bytes]:
        """Yield its bytes. Raises StoreError, and what the fetch raises."""
        if self.flow is not None:
            return self.flow.read()
        if self.data is not None:
            return _whole(self.data)
        if self.file is None:
            raise ValueError("a tarball without bytes")
        return read_file(self.file)


class Flight:
    """What those who wait for one tarball wait for. The first flow that is offered is the one they read."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._found: asyncio.Future[FoundTarball] = loop.create_future()
        self._landed: asyncio.Future[FoundTarball] = loop.create_future()
        self._flow: Flow | None = None

    async def found(self) -> FoundTarball:
        """Wait until there is something to read."""
        return await asyncio.shield(self._found)

    async def landed(self) -> FoundTarball:
        """Wait until the whole is in the store."""
        return await asyncio.shield(self._landed)

    def offer(self, source: Source, flow: Flow, digest: bytes | None) -> Flow:
        """Let those who wait read a flow, if they do not read another already."""
        if self._flow is None:
            self._flow = flow
            self._found.set_result(FoundTarball(source, flow.length, None, flow, digest))
        return flow

    def let_go(self, flow: Flow) -> None:
        """Close a flow that nobody reads; the one that is read stays open to the end of the flight."""
        if flow is not self._flow:
            flow.close()

    def land(self, tarball: FoundTarball) -> None:
        """The whole is in the store."""
        if self._flow is not None and tarball.file is not None:
            self._flow.finish(tarball.file)
            self._flow.close()
        for future in (self._found, self._landed):
            if not future.done():
                future.set_result(tarball)

    def crash(self, error: LibreseedError) -> None:
        """It will not come."""
        if self._flow is not None:
            self._flow.fail(error)
            self._flow.close()
        for future in (self._found, self._landed):
            if not future.done():
                future.set_exception(error)
            if future.done() and not future.cancelled():
                future.exception()  # perhaps nobody waits


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
