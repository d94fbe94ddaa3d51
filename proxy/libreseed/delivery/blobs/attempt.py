"""A try to fetch a blob by its own torrent, together with others who fetch it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any

from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.errors import IntegrityError, LibreseedError, UnavailableError
from libreseed.network.addresses import show_address
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.download import Download
from libreseed.swarm.seeding import Incoming
from libreseed.swarm.shares import LARGE
from libreseed.trust.records import BlobRef, Endpoint

log = logging.getLogger(__name__)

STALL = 15.0
"""Seconds without a new verified piece after which a torrent is given up."""
TURN = 2.0
"""Seconds that a torrent has to show that it comes, while others of the same blob wait; doubled each time."""
SLOWEST = 64 << 10
"""Bytes a second below which it gives way to them."""
LAST_TURN = 64.0
NOTHING = 1 << 10
"""Seconds of the longest turn, and bytes a second below which it is given up after that, whoever waits."""
_MEET_AGAIN = 0.25
"""Seconds until those who hold a large blob are asked again who else fetches it; doubled up to eight times that."""


class GaveWayError(UnavailableError):
    """It was slow, and others of the same blob waited. It may be tried again."""


class TorrentAttempt:
    """The torrent `ref` of the blob that is requested, from `holders`: the first of them has introduced us to others
    who fetch it."""

    def __init__(
        self,
        request: BlobRequest,
        ref: BlobRef,
        holders: Sequence[Endpoint],
        *,
        swarm: SwarmParts,
        introduction: Introduction,
    ) -> None:
        self.ref = ref
        self._request = request
        self._holders = [*holders]
        self._swarm = swarm
        self._turn = TURN
        holder, *others = holders
        self._folder = swarm.blobs.incoming_dir()
        self._download = Download(swarm.session, ref=ref, folder=self._folder, peers=others, stall=STALL)
        swarm.ask(self._download, holder, introduction)

    @property
    def rank(self) -> tuple[float, int, float]:
        """By what attempts are ordered, the lowest first: which had fewer turns, which more holders claim, and whose
        holder delivered more."""
        return self._turn, -len(self._holders), min(map(self._swarm.reputation.rank, self._holders))

    @property
    def holder(self) -> Endpoint:
        """The first who claimed to have it."""
        return self._holders[0]

    @property
    def received(self) -> int:
        """Bytes that have come."""
        return self._download.received

    def add_holders(self, holders: Iterable[Endpoint]) -> None:
        """Ask further holders."""
        new = [holder for holder in holders if holder not in self._holders]
        self._holders += new
        self._download.add_peers(new)

    async def run(self, others_wait: Callable[[], bool]) -> BlobRef:
        """Fetch, check and store it. `others_wait` tells whether other torrents of the same blob wait to be tried.

        Raises GaveWayError, UnavailableError when nothing comes, SwarmError, IntegrityError, StoreError.
        """
        work = asyncio.create_task(self._fetch())
        try:
            while True:
                before = self.received
                done, _ = await asyncio.wait([work], timeout=self._turn)
                if done:
                    return work.result()
                self._judge(self.received - before, others_wait=others_wait())
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def discard(self) -> None:
        """Remove what has come of it and was not stored."""
        if self._folder.exists():
            await self._swarm.blobs.discard(self._folder)

    def _judge(self, received: int, *, others_wait: bool) -> None:
        """Raise GaveWayError or UnavailableError when too little has come in this turn; the next one is longer."""
        turn, self._turn = self._turn, min(self._turn * 2, LAST_TURN)
        slowly = f"{self._request.label} comes too slowly from {_names(self._holders)}."
        if turn >= LAST_TURN and received < NOTHING * turn:
            raise UnavailableError(slowly)
        if others_wait and received < SLOWEST * turn:
            raise GaveWayError(slowly)

    async def _fetch(self) -> BlobRef:
        request, download = self._request, self._download
        async with download, _companion(self._meet_others()):
            await download.first_piece()
            request.started.set()
            if request.stream is not None and self.ref == request.checked:
                spooled = request.stream(download.file.with_suffix(".spool"))
                async for piece in download.pieces():
                    await spooled.write(piece)
            await download.complete()
            # Its torrent goes on for others until it is seeded from the store.
            return await self._store()

    async def _store(self) -> BlobRef:
        request = self._request
        incoming = Incoming(self._download.file, request.digest, request.shared, request.tarball)
        senders = await self._download.senders()
        (outcome,) = await self._swarm.store(self._download, [incoming])
        if isinstance(outcome, IntegrityError):
            # Only who sent bytes of a wrong torrent has lied: anybody may be named as one who has it.
            self._swarm.reputation.note_wrong(senders)
            log.warning("%s came with wrong bytes from %s: %s", request.label, _names(senders), outcome)
        if isinstance(outcome, LibreseedError):
            raise outcome
        self._swarm.reputation.note_right(senders)
        return outcome

    async def _meet_others(self) -> None:
        """Tell those who hold it that it is fetched here by its own torrent, and ask them who else fetches it: of a
        large one again and again, as long as it lasts."""
        pause = _MEET_AGAIN
        while True:
            for holder in [*self._holders]:
                met = await self._swarm.overlay.join(holder, self._request.digest)
                if met is not None and self.ref.length >= LARGE:
                    self._swarm.meet(self._download, met)
            if self.ref.length < LARGE:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MEET_AGAIN * 8)


@contextlib.asynccontextmanager
async def _companion(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something go on as long as the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _names(peers: Iterable[Endpoint]) -> str:
    return ", ".join(show_address(*peer) for peer in peers)
