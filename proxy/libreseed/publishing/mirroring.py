"""What came from the upstream is passed on: each packument as a mirror's snapshot under a record of our own."""

import asyncio
import logging
from collections import OrderedDict

import orjson

from libreseed.errors import LibreseedError
from libreseed.packages.packument import portable
from libreseed.publishing.signing import RecordSigner
from libreseed.store.packuments import StoredPackument
from libreseed.trust.snapshot import Snapshot

log = logging.getLogger(__name__)


class Mirroring:
    """A queue of packuments, the newest of each name once, worked off one at a time beside everything else."""

    def __init__(self, signer: RecordSigner) -> None:
        self._signer = signer
        self._waiting: OrderedDict[str, StoredPackument] = OrderedDict()
        self._wake = asyncio.Event()

    def add(self, packument: StoredPackument) -> None:
        """Queue a packument that came from the upstream without credentials."""
        self._waiting[packument.name] = packument
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many packuments are still to be signed."""
        return len(self._waiting)

    async def run(self) -> None:
        """Sign and announce what is queued, until cancelled."""
        while True:
            await self._wake.wait()
            while self._waiting:
                name, packument = next(iter(self._waiting.items()))
                try:
                    await self._signer.sign("mirror", await asyncio.to_thread(_snapshot, packument))
                except LibreseedError as error:
                    log.warning("%s could not be mirrored: %s", name, error)
                if self._waiting.get(name) is packument:
                    del self._waiting[name]
            self._wake.clear()


def _snapshot(packument: StoredPackument) -> Snapshot:
    return Snapshot(portable(orjson.loads(packument.body)))
