"""What comes in a burst is announced in few batches, and what comes alone at once."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress

from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.publishing.announcing import Announcing
from libreseed.trust.records import BlobRef


class Batches(Overlay):
    """Notes what it is told to announce."""

    def __init__(self) -> None:
        super().__init__(OverlaySettings(), MemoryStorage())
        self.sizes: list[int] = []
        self.told: list[HeldBlob] = []

    def hold(self, blobs: Iterable[HeldBlob]) -> None:
        self.told.extend(blobs)

    async def announce(self, blobs: Iterable[HeldBlob]) -> int:
        self.sizes.append(len([*blobs]))
        return 0


def ref() -> BlobRef:
    return BlobRef(os.urandom(20), os.urandom(32), 1, os.urandom(64))


async def test_a_burst_is_gathered_but_not_for_ever() -> None:
    overlay = Batches()
    announcing = Announcing(overlay)
    running = asyncio.create_task(announcing.run())
    began = asyncio.get_running_loop().time()
    added = 0
    while not overlay.sizes and asyncio.get_running_loop().time() < began + 30:
        announcing.add([ref()])
        added += 1
        assert len(overlay.told) == added, "who asks is told at once"
        await asyncio.sleep(0.01)
    assert added > 20
    assert overlay.sizes[0] > 20
    async with asyncio.timeout(30):
        while announcing.waiting:  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)
    assert sum(overlay.sizes) == added
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
