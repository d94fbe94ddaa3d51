"""Keeps what was measured of peers over restarts."""

import asyncio
import logging
import time

from libreseed.errors import StoreError
from libreseed.store.tables.seeders import SeederRow, SeederStore
from libreseed.swarm.reputation import MAX_PEERS, Reputation

log = logging.getLogger(__name__)

PERIOD = 300.0
"""Seconds between two times that it is saved while the node runs: as much is lost when the machine stops."""


class ReputationKeeper:
    """Takes up the reputation of the last session, and saves this one's. A store that fails is logged: measuring goes
    on in memory."""

    def __init__(self, reputation: Reputation, store: SeederStore) -> None:
        self._reputation = reputation
        self._store = store

    async def open(self) -> None:
        """Take up what the last session knew."""
        now = time.time()
        try:
            for row in await self._store.load():
                age = max(now - row.saved_at, 0.0)  # a clock that was set back makes nothing count more
                self._reputation.restore((row.ip, row.port), verified=row.verified, lies=row.lies, age=age)
        except StoreError as error:
            log.warning("What was measured of peers could not be read: %s", error)

    async def run(self) -> None:
        """Save it from time to time."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.save()

    async def save(self) -> None:
        """Save it now."""
        now = time.time()
        known = self._reputation.best(MAX_PEERS)
        try:
            await self._store.save([SeederRow(*peer, each.verified, each.lies, now) for peer, each in known])
        except StoreError as error:
            log.warning("What was measured of peers could not be saved: %s", error)
