"""Keeps what goes to other nodes and comes from them within limits: BitTorrent gets what the overlay leaves."""

import asyncio

from libreseed.network.overlay.overlay import Overlay
from libreseed.swarm.session import Session

PERIOD = 1.0
"""Seconds between two times that the overlay's part is measured."""
_LEAST = 8
"""BitTorrent has at least one of so many parts of a limit."""


class Bandwidth:
    """Shares out the limits, in bytes a second, 0 for none."""

    def __init__(self, overlay: Overlay, session: Session, *, upload: int, download: int) -> None:
        self._overlay = overlay
        self._session = session
        self._upload = upload
        self._download = download

    async def run(self) -> None:
        """Measure the overlay and limit BitTorrent accordingly, until cancelled; do nothing when there is no limit."""
        if not self._upload and not self._download:
            return
        loop = asyncio.get_running_loop()
        before, measured_at = self._overlay.traffic, loop.time()
        while True:
            await asyncio.sleep(PERIOD)
            (sent, received), now = self._overlay.traffic, loop.time()
            seconds = now - measured_at
            self._session.limit(
                upload=left(self._upload, (sent - before[0]) / seconds),
                download=left(self._download, (received - before[1]) / seconds),
            )
            before, measured_at = (sent, received), now


def left(limit: int, used: float) -> int:
    """Return what is left of a limit when so much of it is used; never nothing, which would be no limit."""
    return max(int(limit - used), limit // _LEAST, min(limit, 1))
