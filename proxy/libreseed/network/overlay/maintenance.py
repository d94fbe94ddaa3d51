"""Keeping the routing table fresh: silent peers are checked, and the neighbourhood is explored anew."""

import asyncio
import os
import random
import time

from libreseed.network.overlay.bootstrap import Bootstrap
from libreseed.network.overlay.neighbours import FRESH, Neighbours
from libreseed.network.overlay.persistence import Persistence
from libreseed.network.overlay.routing import ID_LENGTH

REFRESH = 600.0
"""Seconds between two explorations."""
CHECKED_AT_ONCE = 16
"""Peers that are asked in one round whether they are still there, the longest silent first."""


async def keep_fresh(neighbours: Neighbours, bootstrap: Bootstrap, persistence: Persistence) -> None:
    """Check peers about every `FRESH` seconds, explore and save who is known every `REFRESH`, until cancelled."""
    refreshed_at = time.monotonic()
    while True:
        await asyncio.sleep(FRESH * random.uniform(0.9, 1.1))  # noqa: S311
        now = time.monotonic()
        stale = sorted((peer for peer in neighbours.table if now - peer.heard_at > FRESH), key=lambda p: p.heard_at)
        for peer in stale[:CHECKED_AT_ONCE]:
            neighbours.check(peer)
        if now - refreshed_at > REFRESH and len(neighbours.table):
            refreshed_at = now
            await bootstrap.walk()
            await bootstrap.walk(os.urandom(ID_LENGTH))
            bootstrap.remember(peer.address for peer in neighbours.table)
            await persistence.save_contacts([peer.contact for peer in neighbours.table])
