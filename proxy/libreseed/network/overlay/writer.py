"""Writes to the storage apart from the protocol: an answer never waits for the disk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from libreseed.errors import StoreError
from libreseed.network.overlay.storage import OverlayStorage
from libreseed.trust.items import SignedItem

log = logging.getLogger(__name__)

MAX_QUEUED = 10_000


class StorageWriter:
    """Queues changes and writes them in order; a failed write is logged and the record lives on in memory."""

    def __init__(self, storage: OverlayStorage) -> None:
        self._storage = storage
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(MAX_QUEUED)

    def save(self, key_text: str, item: SignedItem) -> None:
        self._put(partial(self._storage.save_record, key_text, item.key, item.encode()))

    def remove(self, key_text: str, publisher: bytes) -> None:
        self._put(partial(self._storage.remove_record, key_text, publisher))

    def evidence(self, key_text: str, first: SignedItem, second: SignedItem) -> None:
        self._put(partial(self._storage.save_evidence, key_text, first.key, first.encode(), second.encode()))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            write = await self._queue.get()
            try:
                await attempt(write())
            finally:
                self._queue.task_done()

    async def flush(self, timeout: float) -> None:
        """Wait until everything queued is written, at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._queue.join()
        except TimeoutError:
            log.warning("The overlay left %d changes unwritten: its store is too slow.", self._queue.qsize())

    def _put(self, write: Callable[[], Awaitable[None]]) -> None:
        try:
            self._queue.put_nowait(write)
        except asyncio.QueueFull:
            log.warning("A change of a record was not written: the overlay's store is too slow.")


async def attempt(writing: Awaitable[None]) -> None:
    """Wait for a change of the storage; a failure is only logged."""
    try:
        await writing
    except StoreError as error:
        log.warning("The overlay could not write to its store: %s", error)
