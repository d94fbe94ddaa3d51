"""Announces the blobs that this node holds to the overlay, in batches."""

import asyncio
import logging
from collections.abc import Iterable

from libreseed.errors import LibreseedError
from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.trust.records import BlobRef

log = logging.getLogger(__name__)

_GATHER = 0.1
_LONGEST = 5.0
"""Seconds: a batch is announced when no blob was added for the first, or when it has waited for the second. An install
adds hundreds of blobs."""
_PAUSE = 2.0
"""Seconds from one batch to the next."""


class Announcing:
    """A queue of new blobs to announce. The overlay repeats announcements by itself, every half hour."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._waiting: list[BlobRef] = []
        self._in_flight = 0
        self._last = -_PAUSE
        self._wake = asyncio.Event()

    def add(self, refs: Iterable[BlobRef]) -> None:
        """Queue blobs that others may fetch from this node. Who asks for them is told at once."""
        added = [*refs]
        self._overlay.hold(map(_held, added))
        self._waiting.extend(added)
        if self._waiting:
            self._wake.set()

    def withdraw(self, digest: bytes) -> None:
        """Stop announcing the blob with this SHA-512."""
        self._waiting = [ref for ref in self._waiting if ref.sha512 != digest]
        self._overlay.withdraw(digest)

    @property
    def waiting(self) -> int:
        """The number of blobs that are still to be announced."""
        return len(self._waiting) + self._in_flight

    async def run(self) -> None:
        """Announce what is queued, until cancelled."""
        while True:
            await self._wake.wait()
            await self._gather()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            self._in_flight = len(batch)
            try:
                known = await self._overlay.announce(map(_held, batch))
                log.info("Announced %d blobs; %d are known to another node.", len(batch), known)
            except LibreseedError as error:
                log.warning("%d blobs could not be announced: %s", len(batch), error)
            self._in_flight = 0
            self._last = asyncio.get_running_loop().time()

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._last + _PAUSE - loop.time())
        ends = loop.time() + _LONGEST
        known = 0
        while known != len(self._waiting) and loop.time() < ends:
            known = len(self._waiting)
            await asyncio.sleep(_GATHER)


def _held(ref: BlobRef) -> HeldBlob:
    return HeldBlob(ref.sha512, ref.v1, ref.v2, ref.length)
