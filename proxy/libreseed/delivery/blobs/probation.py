"""A holder that has delivered nothing yet shows with few torrents first that it is honest and quick: false claims cost
anybody nothing to make, and each torrent costs some milliseconds to try."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libreseed.errors import UnavailableError
from libreseed.network.addresses import show_address
from libreseed.swarm.reputation import Reputation
from libreseed.trust.records import Endpoint

AT_ONCE = 1
"""Torrents from one such holder at a time."""


class Probation:
    """Counts what is fetched from each holder at a time."""

    def __init__(self, reputation: Reputation) -> None:
        self._reputation = reputation
        self._under_way: Counter[Endpoint] = Counter()
        self._ended: dict[Endpoint, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, holder: Endpoint) -> AsyncIterator[None]:
        """Wait until one more torrent may be fetched from this holder, which lasts as long as the block.

        Raises UnavailableError when it has lied meanwhile.
        """
        while self._under_way[holder] >= AT_ONCE and self._reputation.rank(holder) >= 0:
            await self._ended.setdefault(holder, asyncio.Event()).wait()
        if self._reputation.is_shunned(holder):
            raise UnavailableError(f"{show_address(*holder)} has sent wrong bytes, and is not asked.")
        self._under_way[holder] += 1
        try:
            yield
        finally:
            self._under_way[holder] -= 1
            if not self._under_way[holder]:
                del self._under_way[holder]
            if (ended := self._ended.pop(holder, None)) is not None:
                ended.set()
