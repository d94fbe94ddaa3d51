"""What of the overlay outlives the process. Storage that fails is logged: the overlay goes on in memory."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from libreseed.errors import StoreError, TrustError
from libreseed.network.addresses import Address, Contact
from libreseed.network.overlay.recordbook import RecordBook
from libreseed.network.overlay.routing import ID_LENGTH
from libreseed.network.overlay.storage import OverlayStorage
from libreseed.network.overlay.writer import attempt
from libreseed.trust.items import SignedItem

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOADED_AT_ONCE = 200
"""Records that are checked before others get a turn on the event loop."""


class Persistence:
    """Takes up the last session from the storage, and keeps this one for the next."""

    def __init__(self, storage: OverlayStorage) -> None:
        self._storage = storage

    async def node_id(self) -> bytes:
        """Return the 20-byte id of this node: the last session's, or a new one."""
        node_id = await _read(self._storage.load_node_id(), None)
        if node_id is None or len(node_id) != ID_LENGTH:
            node_id = os.urandom(ID_LENGTH)
            await attempt(self._storage.save_node_id(node_id))
        return node_id

    async def last_peers(self) -> list[Address]:
        """Return where the nodes of the last session were."""
        return [(ip, port) for ip, port, _ in await _read(self._storage.load_contacts(), ())]

    async def load_records(self, book: RecordBook) -> None:
        """Put the records of the last session into `book`, without those that are damaged."""
        for number, (key_text, encoded) in enumerate(await _read(self._storage.load_records(), ()), start=1):
            if number % _LOADED_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                book.load(key_text, SignedItem.decode(encoded))
            except TrustError as error:
                log.warning("A stored record of %s is damaged and was left out: %s", key_text, error)

    async def save_contacts(self, contacts: Iterable[Contact]) -> None:
        """Keep the nodes that are known now for the next session. Without any, those known last time stay: they are
        still the best guess."""
        saved = [(contact.ip, contact.port, contact.p2p_port) for contact in contacts]
        if saved:
            await attempt(self._storage.save_contacts(saved))


async def _read(reading: Awaitable[T], default: T) -> T:
    try:
        return await reading
    except StoreError as error:
        log.warning("The overlay could not read its store: %s", error)
        return default
