"""Fetches a tarball from the swarm, and, as a hedged request, from the upstream too; the first to deliver wins."""

import asyncio
import logging

from libreseed.concurrency.single_flight import outcome
from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.sources import Source
from libreseed.delivery.tarballs.download import SharedDownload
from libreseed.delivery.tarballs.expected import Expected
from libreseed.delivery.tarballs.pace import LOOK, Pace
from libreseed.delivery.tarballs.upstream import STREAM_FROM, Got, UpstreamFetcher
from libreseed.errors import IntegrityError, LibreseedError, NotFoundError, UnavailableError

log = logging.getLogger(__name__)

HEDGE = 0.2
"""Seconds without a verified piece from the swarm after which the upstream is asked too."""
UNCHECKED = 30.0
"""Seconds after which the upstream is asked too, however quick the swarm is, unless a checked record names the torrent:
whose word it is may be a liar's, and what comes garbage without end."""


class TarballRace:
    """Starts the swarm, and after the `hedge` time, in seconds, the upstream too; the first verified copy wins."""

    def __init__(
        self, swarm: SwarmFetcher, upstream: UpstreamFetcher, ownership: Ownership, *, hedge: float = HEDGE
    ) -> None:
        self._swarm = swarm
        self._upstream = upstream
        self._ownership = ownership
        self._hedge = hedge

    async def fetch(self, expected: Expected, download: SharedDownload) -> tuple[Source, Got]:
        """Fetch a tarball, check and store it; return its source, and its blob or bytes. A large one is offered to the
        `download` as a stream.

        Raises NotFoundError, UnavailableError, IntegrityError, SwarmError, StoreError: of several the most informative.
        """
        attempts: dict[asyncio.Task[Got], Source] = {}
        try:
            return await self._race(expected, download, attempts)
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    async def _race(
        self, expected: Expected, download: SharedDownload, attempts: "dict[asyncio.Task[Got], Source]"
    ) -> tuple[Source, Got]:
        errors: list[LibreseedError] = []
        may_ask_upstream = self._ownership.is_upstreams(expected.name)
        if expected.digest is not None and not expected.restricted:
            request = self._blob_request(expected, expected.digest, download)
            swarm: asyncio.Task[Got] = asyncio.create_task(self._swarm.fetch(request))
            attempts[swarm] = "swarm"
            if may_ask_upstream and not await self._keeps_pace(swarm, request):
                attempts[self._start_upstream(expected, download)] = "upstream"
                may_ask_upstream = False
        while True:
            if not attempts:
                if not may_ask_upstream:
                    raise _worst(errors) if errors else _absent(expected)
                attempts[self._start_upstream(expected, download)] = "upstream"
                may_ask_upstream = False
            await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            for attempt in [attempt for attempt in attempts if attempt.done()]:
                source = attempts.pop(attempt)
                try:
                    return source, outcome(attempt)
                except LibreseedError as error:
                    errors.append(error)

    async def _keeps_pace(self, swarm: "asyncio.Task[Got]", request: BlobRequest) -> bool:
        """Wait for the swarm as long as it is quicker than the upstream would be; tell whether it ended by itself."""
        await _first_of(swarm, request.started, self._hedge)
        if not request.started.is_set():
            return _succeeded(swarm)
        loop = asyncio.get_running_loop()
        pace, deadline = Pace(request.received(), loop.time()), loop.time() + UNCHECKED
        while not swarm.done():
            await asyncio.wait([swarm], timeout=LOOK)
            is_doubtful = request.checked is None and loop.time() > deadline
            if is_doubtful or not pace.holds(request.received(), self._upstream.rate, loop.time()):
                log.info("The swarm is slow with %s; the upstream is asked too.", request.label)
                return False
        return True

    def _blob_request(self, expected: Expected, digest: bytes, download: SharedDownload) -> BlobRequest:
        request = BlobRequest(
            digest,
            expected.ref,
            expected.seeders,
            expected.tarball,
            name=expected.label,
            shared=self._ownership.is_public(expected.name),
        )
        length = expected.ref.length if expected.ref is not None else 0
        if length >= STREAM_FROM:
            request.stream = lambda spool: download.offer("swarm", SpooledStream(spool, length), digest)
        return request

    def _start_upstream(self, expected: Expected, download: SharedDownload) -> "asyncio.Task[Got]":
        return asyncio.create_task(self._upstream.fetch(expected, download))


async def _first_of(task: "asyncio.Task[Got]", event: asyncio.Event, timeout: float) -> None:
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, waiter], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()


def _succeeded(task: "asyncio.Task[Got]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _absent(expected: Expected) -> NotFoundError:
    return NotFoundError(f"Nobody offers {expected.label}.")


def _worst(errors: list[LibreseedError]) -> LibreseedError:
    """Return the most informative error: of wrong bytes, else of no answer, else of absence."""
    for kind in (IntegrityError, UnavailableError):
        for error in errors:
            if isinstance(error, kind):
                return error
    return errors[-1]
