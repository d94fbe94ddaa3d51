"""Records on their way to other nodes: stored, repaired, handed to newcomers, announced again."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable

from libreseed.concurrency.tasks import Tasks, each
from libreseed.errors import ExpiredError, TrustError
from libreseed.network.overlay.lookup import Lookup
from libreseed.network.overlay.messages import Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.recordbook import Held, RecordBook, Validator, target_of
from libreseed.network.overlay.routing import Peer

log = logging.getLogger(__name__)

REANNOUNCE = 3600.0
"""Seconds after which a record that nobody announced is announced again; BEP 44 asks for the same."""
HANDOVER_RANK = 2
"""A newcomer gets a record from its three closest holders; one alone may be gone."""
MAX_HANDOVER = 1000
"""Records for one newcomer; the hourly announcement brings the rest."""
_UNDER_WAY = 8
_MAX_BACKGROUND = 64


class Replication:
    """Spreads the records of `book`."""

    def __init__(
        self, neighbours: Neighbours, book: RecordBook, validator: Validator, tasks: Tasks, *, k: int, alpha: int
    ) -> None:
        self._neighbours = neighbours
        self._book = book
        self._validator = validator
        self._tasks = tasks
        self._k = k
        self._alpha = alpha

    async def spread(self, key_text: str, item: bytes) -> int:
        """Store an encoded item on the closest nodes; return how many took it."""
        target = target_of(key_text)
        lookup = await Lookup(self._neighbours, target, Want.NODES, size=self._k, alpha=self._alpha).run()
        return await self.store(key_text, item, [(peer, found.token) for peer, found in lookup.closest])

    async def store(self, key_text: str, item: bytes, peers: Iterable[tuple[Peer, bytes]]) -> int:
        """Store an encoded item on these peers, with their tokens; return how many took it."""
        stores = (self._neighbours.store(peer, token, key_text, item) for peer, token in peers)
        return sum(await asyncio.gather(*stores))

    def repair(self, key_text: str, item: bytes, peers: list[tuple[Peer, bytes]]) -> None:
        """Bring peers that lack a record up to date, in the background."""

        async def work() -> None:
            repaired = await self.store(key_text, item, peers)
            log.debug("%s: %d of %d nodes brought up to date.", key_text, repaired, len(peers))

        if peers and len(self._tasks) < _MAX_BACKGROUND:
            self._tasks.start(work())

    def welcome(self, peer: Peer) -> None:
        """Hand a newcomer the records that it should hold, in the background."""
        if len(self._book) and len(self._tasks) < _MAX_BACKGROUND:
            self._tasks.start(self._hand_over(peer))

    async def keep_announced(self) -> None:
        """Announce what nobody has announced for an hour; drop what has expired. Runs until cancelled."""
        while True:
            # Jitter: of the holders of a record, one is the first, and its announcement spares the others theirs.
            due = time.monotonic() - REANNOUNCE * random.uniform(0.8, 1.0)  # noqa: S311
            await each(self._announce, [held for held in self._book if held.announced_at < due], 4)
            await asyncio.sleep(REANNOUNCE / 60)

    async def _announce(self, held: Held) -> None:
        if not self._still_valid(held):
            return
        held.announced_at = time.monotonic()
        await self.spread(held.key_text, held.item.encode())

    def _still_valid(self, held: Held) -> bool:
        try:
            self._validator(held.key_text, held.item, time.time())
        except ExpiredError:
            log.info("The record %s has expired; dropped.", held.key_text)
        except TrustError as error:
            log.info("The record %s is not valid any more; dropped: %s", held.key_text, error)
        else:
            return True
        self._book.remove(held)
        return False

    async def _hand_over(self, peer: Peer) -> None:
        chosen: list[Held] = []
        for number, held in enumerate(self._book):
            if number % 100 == 99:
                await asyncio.sleep(0)
            if self._belongs_to(peer, held):
                chosen.append(held)
                if len(chosen) == MAX_HANDOVER:
                    break
        token = await self._neighbours.token(peer) if chosen else b""
        if not token:
            return

        async def hand(held: Held) -> None:
            await self._neighbours.store(peer, token, held.key_text, held.item.encode())

        await each(hand, chosen, _UNDER_WAY)
        log.debug("Handed %d records to the new node %s.", len(chosen), peer)

    def _belongs_to(self, newcomer: Peer, held: Held) -> bool:
        target = target_of(held.key_text)
        key = int.from_bytes(target, "big")
        others = [peer for peer in self._neighbours.table.closest(target, self._k + 1) if peer.id != newcomer.id]
        nearer = sum(peer.long_id ^ key < self._neighbours.table.node.long_id ^ key for peer in others)
        among_closest = len(others) < self._k or newcomer.long_id ^ key < others[self._k - 1].long_id ^ key
        return nearer <= HANDOVER_RANK and among_closest
