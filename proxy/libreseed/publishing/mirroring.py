"""Mirrors packuments of the upstream: each is published as a snapshot, with a `mirror` record signed by this node."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import orjson

from libreseed.errors import LibreseedError
from libreseed.packages.packument import portable
from libreseed.publishing.signing import RecordSigner
from libreseed.store.tables.packuments import StoredPackument
from libreseed.trust.snapshot import Snapshot

log = logging.getLogger(__name__)

_LONGEST_WAIT = 30.0


class Worker(Protocol):
    """A part of the node whose work clients may wait for."""

    @property
    def is_busy(self) -> bool: ...

    async def idle(self) -> None:
        """Wait until the part has no work."""


class Mirroring:
    """A queue of packuments, the newest of each name, which are mirrored one at a time while the node is idle, since
    packing a snapshot takes longer than serving a packument.

    A node that is not idle for `longest_wait` seconds mirrors all the same.
    """

    def __init__(self, signer: RecordSigner, *, longest_wait: float = _LONGEST_WAIT) -> None:
        self._signer = signer
        self._longest_wait = longest_wait
        self._waiting: OrderedDict[str, StoredPackument] = OrderedDict()
        self._wake = asyncio.Event()

    def add(self, packument: StoredPackument) -> None:
        """Queue a packument that came from the upstream without credentials."""
        self._waiting[packument.name] = packument
        self._wake.set()

    @property
    def waiting(self) -> int:
        """The number of packuments that are still to be mirrored."""
        return len(self._waiting)

    async def run(self, others: Sequence[Worker]) -> None:
        """Sign and announce what is queued while the `others` are idle, until cancelled."""
        while True:
            await self._wake.wait()
            wait_until = asyncio.get_running_loop().time() + self._longest_wait
            while self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(wait_until):
                        await _all_idle(others)
                name, packument = next(iter(self._waiting.items()))
                try:
                    await self._signer.sign("mirror", await asyncio.to_thread(_snapshot, packument))
                except LibreseedError as error:
                    log.warning("%s could not be mirrored: %s", name, error)
                if self._waiting.get(name) is packument:
                    del self._waiting[name]
            self._wake.clear()


async def _all_idle(others: Sequence[Worker]) -> None:
    while any(other.is_busy for other in others):
        for other in others:
            await other.idle()


def _snapshot(packument: StoredPackument) -> Snapshot:
    return Snapshot(portable(orjson.loads(packument.body)))
