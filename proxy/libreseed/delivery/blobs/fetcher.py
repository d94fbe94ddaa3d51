"""Fetching one blob from whoever holds it: claims from the overlay, torrents from the session, SHA-512 decides."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from libreseed.delivery.blobs.attempt import GaveWayError, TorrentAttempt
from libreseed.delivery.blobs.bundle_queue import Part
from libreseed.delivery.blobs.bundles import BundleFetcher
from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.delivery.blobs.probation import Probation
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.errors import LibreseedError, NotFoundError, UnavailableError
from libreseed.network.overlay.claims import Claim
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.shares import LARGE
from libreseed.trust.records import BlobRef, Endpoint

log = logging.getLogger(__name__)

T = TypeVar("T")

_AT_ONCE = 4
"""Torrents of different claims about one SHA-512 that are tried at the same time."""
_ASK_AGAIN = 0.5
_ASK_IN_FLEET = 1.5
_ASK_SELDOM = 4.0
"""Seconds until holders are looked up again: first, first when others fetch from the same and it may be busy with them,
doubled each time, and at most."""
PATIENCE = 6.0
"""Seconds within which who has a blob and did not deliver is asked again, though all have been asked: a busy host may
need so long."""
MAX_BLOB = 2 << 30
"""Bytes of a blob that only an unchecked claim speaks of."""


class SwarmFetcher:
    """Fetches blobs into the store and seeds them on."""

    def __init__(self, swarm: SwarmParts) -> None:
        self.swarm = swarm
        self.bundles = BundleFetcher(swarm)
        self.probation = Probation(swarm.reputation)

    async def close(self) -> None:
        """End what is under way for several at once."""
        await self.bundles.close()

    async def fetch(self, request: BlobRequest) -> BlobRef:
        """Fetch, check, store and seed a blob.

        Raises NotFoundError when nobody offers it, UnavailableError when those who do deliver nothing, SwarmError,
        IntegrityError when all they have is wrong, StoreError.
        """
        if (found := await self._fetch_of_open_bundle(request)) is not None:
            return found
        fetch = _BlobFetch(self, request)
        try:
            return await fetch.run()
        finally:
            await fetch.close()

    async def _fetch_of_open_bundle(self, request: BlobRequest) -> BlobRef | None:
        """Fetch a blob of a bundle that is on its way: it need not be asked for. None when it does not come so."""
        bundle = self.bundles.find_open(request.digest)
        if bundle is None:
            return None
        length = bundle.lengths[request.digest]
        if request.checked is not None and request.checked.length != length:
            return None
        part = Part(request.digest, length, request.started, request.shared, request.tarball)
        bundle.take(part)
        try:
            found = await part.outcome
        except LibreseedError as error:
            log.info("%s does not come with the others: %s", request.label, error)
            request.started.clear()
            return None
        return found if isinstance(found, BlobRef) else None


class _BlobFetch:
    """One fetch: a claim about a new torrent starts an attempt, a further one about a known torrent adds a holder."""

    def __init__(self, fetcher: SwarmFetcher, request: BlobRequest) -> None:
        self._swarm = fetcher.swarm
        self._bundles = fetcher.bundles
        self._probation = fetcher.probation
        self._request = request
        self._attempts: dict[BlobRef, TorrentAttempt] = {}
        self._waiting: list[TorrentAttempt] = []
        self._bundled: dict[BlobRef, list[Endpoint]] = {}
        self._held_back: list[tuple[BlobRef, Claim]] = []
        self._claimants: list[Endpoint] = []
        self._is_in_demand = False
        self._running: set[asyncio.Task[BlobRef | None]] = set()
        self._changed = asyncio.Event()
        self._asked_all = False
        request.received = self._received
        self._claims = self._start(self._take_claims(nearby=True))

    async def run(self) -> BlobRef:
        loop = asyncio.get_running_loop()
        began = loop.time()
        last_error: LibreseedError | None = None
        if self._request.checked is not None and self._request.seeders:
            self._offer(self._request.checked, self._request.seeders)
        while True:
            for task in [task for task in self._running if task.done()]:
                self._running.discard(task)
                try:
                    if (found := task.result()) is not None:
                        return found
                except LibreseedError as error:
                    log.info("An attempt at %s failed: %s", self._request.label, error)
                    last_error = error
                    self._release()
            self._start_waiting()
            if not self._running and self._claims.done():
                if not self._asked_all:
                    # What a neighbour had was no good; others may have better.
                    self._swarm.overlay.doubt_holder(self._request.digest)
                    self._claims = self._start(self._ask())
                elif isinstance(last_error, UnavailableError) and loop.time() < began + PATIENCE:
                    self._claims = self._start(self._ask_later())
                else:
                    raise last_error or NotFoundError(f"Nobody offers {self._request.label} in the swarm.")
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        tasks = [self._claims, *self._running]
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, LibreseedError):
                log.error("Fetching %s failed", self._request.label, exc_info=result)
        for attempt in self._attempts.values():
            await attempt.discard()

    def _received(self) -> int:
        return max((attempt.received for attempt in self._attempts.values()), default=0)

    @property
    def _comes(self) -> bool:
        """Whether it has begun to come, from who is to be relied on."""
        return self._request.started.is_set() and self._is_trusted

    @property
    def _is_trusted(self) -> bool:
        is_published = self._request.checked is not None and bool(self._request.seeders)
        return is_published or any(map(self._has_delivered, self._claimants))

    def _has_delivered(self, holder: Endpoint) -> bool:
        return self._swarm.reputation.rank(holder) < 0

    async def _take_claims(self, *, nearby: bool = False) -> None:
        """Take claims as long as it lasts: those who answer first may all be gone, or liars, and others come back.
        Seldom, when it comes from who has delivered before."""
        await self._ask(nearby=nearby)
        pause = _ASK_IN_FLEET if self._is_in_demand else _ASK_AGAIN
        is_first = True
        while self._running or self._waiting:
            has_started = self._comes
            await asyncio.sleep(_ASK_SELDOM if self._comes else pause)
            if not is_first and not self._request.started.is_set():  # the first time it may only be slow
                self._swarm.overlay.doubt_holder(self._request.digest)
            is_first = False
            pause = min(pause * 2, _ASK_SELDOM)
            self._release()
            if has_started or not self._comes:
                await self._ask()

    async def _ask_later(self) -> None:
        await asyncio.sleep(_ASK_AGAIN)
        await self._ask()

    async def _ask(self, *, nearby: bool = False) -> None:
        self._asked_all |= not nearby
        heard = False
        holders = self._swarm.overlay.find_holders(self._request.digest, nearby=nearby)
        async with contextlib.aclosing(holders) as claims:
            async for claim in claims:
                heard = True
                ref = BlobRef(claim.v1, claim.v2, claim.length, claim.digest)
                if self._request.checked is not None and ref != self._request.checked:
                    log.info("A claim by %s about %s contradicts the record.", claim.endpoint, self._request.label)
                elif claim.length <= MAX_BLOB and not self._swarm.reputation.is_shunned(claim.endpoint):
                    self._take(ref, claim, nearby=nearby)
        self._asked_all |= not heard  # without a claim nothing ended the search early

    def _take(self, ref: BlobRef, claim: Claim, *, nearby: bool) -> None:
        """Try a bundle with who is nearby. Further holders wait until it has failed: a blob must not come by its own
        torrent, which it is seeded by once it is there, at the same time."""
        if ref in self._bundled:
            self._bundled[ref].append(claim.endpoint)
        elif nearby and ref not in self._attempts:
            if self._is_trusted and not self._has_delivered(claim.endpoint):
                self._held_back.append((ref, claim))  # who names another torrent than one who has delivered may lie
                return
            self._claimants.append(claim.endpoint)
            self._is_in_demand |= bool(claim.others)
            self._attempt_nearby(ref, claim)
        else:
            self._offer(ref, [claim.endpoint])

    def _attempt_nearby(self, ref: BlobRef, claim: Claim) -> None:
        if ref not in self._bundled:
            self._bundled[ref] = []
            self._running.add(self._start(self._attempt_bundled(ref, claim)))

    def _release(self) -> None:
        """Try what strangers say too."""
        held_back, self._held_back = self._held_back, []
        for ref, claim in held_back:
            self._attempt_nearby(ref, claim)

    def _offer(self, ref: BlobRef, holders: Iterable[Endpoint], introduction: Introduction | None = None) -> None:
        """Fetch a blob by its own torrent, together with those to whom the first of its holders has introduced us."""
        known = self._attempts.get(ref)
        if known is not None:
            known.add_holders(holders)
            return
        attempt = self._attempts[ref] = TorrentAttempt(
            self._request, ref, [*holders], swarm=self._swarm, introduction=introduction or Introduction()
        )
        self._waiting.append(attempt)
        self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < _AT_ONCE:
            best = min(self._waiting, key=lambda attempt: attempt.rank)
            self._waiting.remove(best)
            self._running.add(self._start(self._attempt(best)))

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        return task

    async def _attempt_bundled(self, ref: BlobRef, claim: Claim) -> BlobRef | None:
        """Return None when the blob's own torrent is tried instead."""
        request, holder = self._request, claim.endpoint
        part = Part(
            ref.sha512,
            ref.length,
            request.started,
            request.shared,
            request.tarball,
            v2=ref.v2,
            in_demand=claim.others != 0,
        )
        try:
            found = await self._bundles.fetch(holder, part)
        except LibreseedError:
            # What has begun comes no longer, so who holds it is asked for again: perhaps the same, who was away.
            request.started.clear()
            if others := self._bundled.pop(ref):
                self._offer(ref, others)
            if self._claims.done():
                self._claims = self._start(self._take_claims())
            raise
        if isinstance(found, BlobRef):
            return found
        if ref.length >= LARGE:
            found = await self._swarm.overlay.join(holder, ref.sha512) or found
        self._offer(ref, [holder, *self._bundled.pop(ref)], found)
        return None

    async def _attempt(self, attempt: TorrentAttempt) -> BlobRef:
        is_checked = attempt.ref == self._request.checked
        try:
            async with contextlib.nullcontext() if is_checked else self._probation.turn(attempt.holder):
                return await attempt.run(lambda: bool(self._waiting))
        except GaveWayError:
            self._waiting.append(attempt)
            raise
