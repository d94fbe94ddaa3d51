"""Fetching one blob by its torrent."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.swarm.session import Session
from libreseed.swarm.shares import LARGE, direct_hosts
from libreseed.swarm.torrents import check_metadata, info_hashes
from libreseed.swarm.transfer import Transfer
from libreseed.trust.records import BlobRef, Endpoint


class Download(Transfer):
    """A download of the blob `ref` into `folder`, to `file` there (see `Transfer`)."""

    def __init__(self, session: Session, ref: BlobRef, folder: Path, peers: Iterable[Endpoint], stall: float) -> None:
        super().__init__(session, info_hashes(ref), folder, peers, stall)
        self.ref = ref
        self.file = folder / ref.sha512.hex()
        self._by_tcp = ref.length >= LARGE
        self.direct = direct_hosts(ref.length)
        self._is_whole = False
        self._read: dict[int, bytes] = {}

    @property
    def label(self) -> str:
        return f"{self.ref.sha512.hex()[:16]}…"

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the verified pieces in their order, as they come."""
        await self.first_piece()
        if self._info is None:
            raise SwarmError(f"The torrent {self.ref.v1.hex()} has pieces but no metadata.")
        for number in range(self._info.num_pieces()):
            await self._until(lambda number=number: number in self._finished)  # type: ignore[misc]
            if self._handle is not None:
                self._session.read_piece(self._handle, number)
            await self._until(lambda number=number: number in self._read)  # type: ignore[misc]
            yield self._read.pop(number)

    async def complete(self) -> None:
        """Wait until everything is on the disk."""
        await self._until(self._has_all)
        await self.flush()
        self._is_whole = True

    def _has_all(self) -> bool:
        return self._info is not None and len(self._finished) == self._info.num_pieces()

    def _is_done(self) -> bool:
        return self._is_whole

    def _check(self, info: lt.torrent_info) -> None:
        check_metadata(info, self.ref)

    def _on_read(self, alert: lt.read_piece_alert) -> None:
        if alert.error.value():
            self._error = SwarmError(f"Cannot read piece {alert.piece}: {alert.error.message()}.")
        else:
            self._read[alert.piece] = bytes(alert.buffer)
