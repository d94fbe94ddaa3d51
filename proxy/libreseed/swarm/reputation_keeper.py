"""Keeps what was measured of peers over restarts."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple

from libreseed.errors import StoreError
from libreseed.store.tables.seeders import SeederRow, SeederStore
from libreseed.swarm.reputation import MAX_PEERS, Measured, Reputation
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two times that it is looked who is there, and that all is saved: as much is lost when the machine
stops."""

Look = Callable[[], Mapping[Endpoint, float | None]]
"""Returns the peers of which it is known whether they are there: their round trips in seconds, None for who is not."""


class ReputationKeeper:
    """Takes up the reputation of the last session, and saves this one's. A store that fails is logged: measuring goes
    on in memory."""

    def __init__(self, reputation: Reputation, store: SeederStore, look: Look) -> None:
        self._reputation = reputation
        self._store = store
        self._look = look

    async def open(self) -> None:
        """Take up what the last session knew."""
        now = time.time()
        try:
            for row in await self._store.load():
                age = max(now - row.saved_at, 0.0)  # a clock that was set back makes nothing count more
                measured = Measured(*row.measured)
                self._reputation.restore((row.ip, row.port), measured, age)
        except StoreError as error:
            log.warning("What was measured of peers could not be read: %s", error)

    async def run(self) -> None:
        """Look who is there, and save all, from time to time."""
        while True:
            await asyncio.sleep(PERIOD)
            self.look()
            await self.save()

    def look(self) -> None:
        """Look who is there now."""
        for peer, latency in self._look().items():
            self._reputation.note_look(peer, latency)

    async def save(self) -> None:
        """Save it now."""
        now = time.time()
        known = self._reputation.best(MAX_PEERS)
        try:
            await self._store.save([SeederRow(*peer, now, astuple(each)) for peer, each in known])
        except StoreError as error:
            log.warning("What was measured of peers could not be saved: %s", error)
