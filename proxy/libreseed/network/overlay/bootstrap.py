"""Joining the overlay: known addresses tried side by side, again and again while nobody answers."""

import asyncio
import logging
import socket
from collections.abc import Iterable

from libreseed.concurrency.tasks import Tasks
from libreseed.network.addresses import Address, canonical_ip, parse_contact
from libreseed.network.overlay.lookup import Lookup
from libreseed.network.overlay.messages import Want
from libreseed.network.overlay.neighbours import Neighbours

log = logging.getLogger(__name__)

FIRST_DELAY = 0.5
MAX_DELAY = 60.0
"""Seconds between two tries; the delay doubles from the first to the last."""


class Bootstrap:
    """Keeps this node joined. `recent` addresses, at first those of the last session, are tried as well but without
    a warning."""

    def __init__(
        self, neighbours: Neighbours, recent: Iterable[Address], tasks: Tasks, *, k: int, alpha: int, timeout: float
    ) -> None:
        self._neighbours = neighbours
        self._recent = frozenset(recent)
        self._tasks = tasks
        self._configured: dict[Address, None] = {}
        self._k = k
        self._alpha = alpha
        self._timeout = timeout
        self._alone = asyncio.Event()
        self._alone.set()

    def alone(self) -> None:
        """Note that the last peer is gone."""
        self._alone.set()

    def remember(self, addresses: Iterable[Address]) -> None:
        """Replace the recent addresses: what is tried when all peers are gone at once."""
        self._recent = frozenset(addresses)

    async def join(self, contacts: Iterable[str]) -> None:
        """Try `contacts` (`host:port`) and the last session's, and walk towards ourselves when one answers.

        Raises ConfigError for an address that cannot be read; nobody answering is only logged.
        """
        configured = [parse_contact(contact) for contact in contacts]
        self._configured.update(dict.fromkeys(configured))
        await self._try(level=logging.WARNING)
        self._alone.set()

    async def keep_joined(self) -> None:
        """Try again, with growing delays, whenever no peer is left."""
        while True:
            await self._alone.wait()
            delay = FIRST_DELAY
            while not len(self._neighbours.table) and (self._configured or self._recent):
                await asyncio.sleep(delay)
                delay = min(delay * 2, MAX_DELAY)
                if not len(self._neighbours.table):
                    await self._try(level=logging.DEBUG)
            self._alone.clear()

    async def walk(self, target: bytes | None = None) -> None:
        """Look up `target` (by default ourselves): fills the table, and makes us known on the way."""
        own_id = self._neighbours.own.node_id or self._neighbours.table.node.id
        await Lookup(self._neighbours, target or own_id, Want.NODES, size=self._k, alpha=self._alpha).run()

    async def _try(self, level: int) -> None:
        results: asyncio.Queue[bool] = asyncio.Queue()

        async def attempt(contact: Address, level: int) -> None:
            results.put_nowait(await self._contact(contact, level))

        contacts = dict.fromkeys(self._recent, logging.DEBUG) | dict.fromkeys(self._configured, level)
        for contact, its_level in contacts.items():
            self._tasks.start(attempt(contact, its_level))
        for _ in contacts:
            # The first answer is enough to join; the others go on behind it and only add to the table.
            if await results.get():
                await self.walk()
                return

    async def _contact(self, contact: Address, level: int) -> bool:
        host, port = contact
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await _resolve(host, port)
                answers = await asyncio.gather(*(self._neighbours.probe(address) for address in addresses))
            if any(answer not in (None, self._neighbours.own.node_id) for answer in answers):
                return True
            if any(answers):
                return False  # a list for a whole fleet names us too
            reason = "no answer"
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} s"
        except OSError as error:
            reason = f"its name cannot be resolved ({error.strerror})"
        log.log(level, "Bootstrap node %s:%d: %s; it is tried again while nobody else answers.", host, port, reason)
        return False


async def _resolve(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys((canonical_ip(str(entry[4][0])), port) for entry in found))
