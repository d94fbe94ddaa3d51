"""Fetching one blob from whoever holds it: claims from the overlay, torrents from the session, SHA-512 decides."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from libreseed.delivery.blobs.bundles import BundleFetcher, Part
from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.errors import IntegrityError, LibreseedError, NotFoundError
from libreseed.network.overlay.claims import Claim
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.overlay import Overlay
from libreseed.store.blobs import BlobStore
from libreseed.swarm.download import LARGE, Download
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.reserve import Need
from libreseed.swarm.seeding import Incoming, Seeding, Tarball
from libreseed.swarm.session import Session
from libreseed.swarm.shares import DIRECT, DIRECT_LARGE
from libreseed.trust.records import BlobRef, Endpoint

log = logging.getLogger(__name__)

T = TypeVar("T")

_AT_ONCE = 3
"""Torrents of different claims about one SHA-512 that are tried at the same time."""
_ASK_AGAIN = 0.5
"""Seconds until holders are looked up again while no piece has come; doubled up to eight times that."""
_MEET_AGAIN = 0.25
"""Seconds until those who hold a large blob are asked again who else fetches it; doubled up to eight times that."""
STALL = 15.0
"""Seconds without a new verified piece after which a torrent is given up."""
MAX_BLOB = 2 << 30
"""Bytes of a blob that only an unchecked claim speaks of."""


@dataclass(slots=True)
class BlobRequest:
    """A blob to fetch.

    `checked` is its torrent from a checked record, with the publisher's own `seeders`: then pieces may be passed on
    before the whole is there, into the stream that `stream(spool file)` makes. Without it only claims are known, and
    nothing is believed before the SHA-512 is right. `shared`: it may be seeded on.
    """

    digest: bytes
    checked: BlobRef | None = None
    seeders: tuple[Endpoint, ...] = ()
    tarball: Tarball | None = None
    stream: Callable[[Path], SpooledStream] | None = None
    shared: bool = True
    started: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a first piece was verified."""


class SwarmFetcher:
    """Fetches blobs into the store and seeds them on."""

    def __init__(
        self,
        overlay: Overlay,
        session: Session,
        *,
        blobs: BlobStore,
        seeding: Seeding,
        offers: Offers,
        reputation: Reputation,
    ) -> None:
        self.overlay = overlay
        self.session = session
        self.blobs = blobs
        self.seeding = seeding
        self.reputation = reputation
        self.bundles = BundleFetcher(
            overlay, session, blobs=blobs, seeding=seeding, offers=offers, reputation=reputation
        )

    async def close(self) -> None:
        """End what is under way for several at once."""
        await self.bundles.close()

    async def fetch(self, request: BlobRequest) -> BlobRef:
        """Fetch, check, store and seed a blob.

        Raises NotFoundError when nobody offers it, UnavailableError when those who do deliver nothing, SwarmError,
        IntegrityError when all they have is wrong, StoreError.
        """
        fetch = _BlobFetch(self, request)
        try:
            return await fetch.run()
        finally:
            await fetch.close()


class _BlobFetch:
    """One fetch: a claim about a new torrent starts an attempt, a further one about a known torrent adds a peer."""

    def __init__(self, fetcher: SwarmFetcher, request: BlobRequest) -> None:
        self._fetcher = fetcher
        self._request = request
        self._downloads: dict[BlobRef, Download] = {}
        self._waiting: list[Download] = []
        self._holders: dict[BlobRef, Sequence[Endpoint]] = {}
        self._bundled: dict[BlobRef, list[Endpoint]] = {}
        self._attempts: set[asyncio.Task[BlobRef | None]] = set()
        self._changed = asyncio.Event()
        self._asked_all = False
        self._claims = self._start(self._take_claims())

    async def run(self) -> BlobRef:
        last_error: LibreseedError | None = None
        if self._request.checked is not None and self._request.seeders:
            self._offer(self._request.checked, self._request.seeders)
        while True:
            for attempt in [attempt for attempt in self._attempts if attempt.done()]:
                self._attempts.discard(attempt)
                try:
                    if (found := attempt.result()) is not None:
                        return found
                except LibreseedError as error:
                    log.info("An attempt at %s failed: %s", _short(self._request), error)
                    last_error = error
            self._start_waiting()
            if not self._attempts and self._claims.done():
                if self._asked_all:
                    raise last_error or NotFoundError(f"Nobody offers {_short(self._request)} in the swarm.")
                # What a neighbour had was no good; others may have better.
                self._fetcher.overlay.doubt_holder(self._request.digest)
                self._claims = self._start(self._ask())
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        tasks = [self._claims, *self._attempts]
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, LibreseedError):
                log.error("Fetching %s failed", _short(self._request), exc_info=result)
        for download in self._downloads.values():
            if download.file.parent.exists():
                await self._fetcher.blobs.discard(download.file.parent)

    async def _take_claims(self) -> None:
        """Take claims for as long as nothing has come: those who answer first may all be gone, and others come back."""
        pause = _ASK_AGAIN
        await self._ask(nearby=True)
        while (self._attempts or self._waiting) and not self._request.started.is_set():
            await asyncio.sleep(pause)
            if pause > _ASK_AGAIN:  # the first time it may only be slow
                self._fetcher.overlay.doubt_holder(self._request.digest)
            pause = min(pause * 2, _ASK_AGAIN * 8)
            await self._ask()

    async def _ask(self, *, nearby: bool = False) -> None:
        self._asked_all |= not nearby
        heard = False
        holders = self._fetcher.overlay.find_holders(self._request.digest, nearby=nearby)
        async with contextlib.aclosing(holders) as claims:
            async for claim in claims:
                heard = True
                ref = BlobRef(claim.v1, claim.v2, claim.length, claim.digest)
                if self._request.checked is not None and ref != self._request.checked:
                    log.info("A claim by %s about %s contradicts the record.", claim.endpoint, _short(self._request))
                elif claim.length <= MAX_BLOB and not self._fetcher.reputation.is_shunned(claim.endpoint):
                    self._take(ref, claim, nearby=nearby)
        self._asked_all |= not heard  # without a claim nothing ended the search early

    def _take(self, ref: BlobRef, claim: Claim, *, nearby: bool) -> None:
        """Try a bundle with who is nearby. Further holders wait until it has failed: a blob must not come by its own
        torrent, which it is seeded by once it is there, at the same time."""
        if ref in self._bundled:
            self._bundled[ref].append(claim.endpoint)
        elif nearby and ref not in self._downloads:
            self._bundled[ref] = []
            self._attempts.add(self._start(self._attempt_bundled(ref, claim)))
        else:
            self._offer(ref, [claim.endpoint])

    def _offer(self, ref: BlobRef, peers: Iterable[Endpoint], introduction: Introduction | None = None) -> None:
        """Fetch a blob by its own torrent from `peers`, together with those of an introduction by the first of them."""
        known = self._downloads.get(ref)
        if known is not None:
            known.add_peers(peers)
            return
        holder, *others = peers
        folder = self._fetcher.blobs.incoming_dir()
        introduction = introduction or Introduction()
        fellows = self._fetcher.reputation.reachable(self._fetcher.overlay.awake(introduction.peers))
        held_back = introduction.number >= (DIRECT_LARGE if ref.length >= LARGE else DIRECT) and bool(fellows)
        asked = [*fellows, *others] if held_back else [holder, *fellows, *others]
        download = Download(self._fetcher.session, ref=ref, folder=folder, peers=asked, stall=STALL)
        download.introduce((), introduction.number, introduction.count)
        if held_back:
            download.hold_in_reserve(holder, lambda need: self._note(need, fellows))
        self._downloads[ref] = download
        self._holders[ref] = [holder, *others]
        self._waiting.append(download)
        self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._attempts) < _AT_ONCE:
            self._attempts.add(self._start(self._attempt(self._waiting.pop(0))))

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._changed.set())
        return task

    async def _attempt_bundled(self, ref: BlobRef, claim: Claim) -> BlobRef | None:
        """Return None when the blob's own torrent is tried instead."""
        request, holder = self._request, claim.endpoint
        part = Part(ref, request.started, request.shared, request.tarball, in_demand=claim.others != 0)
        try:
            found = await self._fetcher.bundles.fetch(holder, part)
        except LibreseedError:
            if others := self._bundled.pop(ref):
                self._offer(ref, others)
            raise
        if isinstance(found, BlobRef):
            return found
        if ref.length >= LARGE:
            found = await self._fetcher.overlay.join(holder, ref.sha512) or found
        self._offer(ref, [holder, *self._bundled.pop(ref)], found)
        return None

    async def _attempt(self, download: Download) -> BlobRef:
        request = self._request
        async with download, _companion(self._meet_others(download)):
            await download.first_piece()
            request.started.set()
            if request.stream is not None and download.ref == request.checked:
                spooled = request.stream(download.file.with_suffix(".spool"))
                async for piece in download.pieces():
                    await spooled.write(piece)
            await download.complete()
            # Its torrent goes on for others until it is seeded from the store.
            return await self._store(download)

    async def _store(self, download: Download) -> BlobRef:
        request = self._request
        incoming = Incoming(download.file, request.digest, request.shared, request.tarball)
        senders = download.senders()
        (outcome,) = await self._fetcher.seeding.add_files([incoming], keep=True)
        if isinstance(outcome, IntegrityError):
            # Only who sent bytes of a wrong torrent has lied: anybody may be named as one who has it.
            for sender in senders:
                self._fetcher.reputation.note_lie(sender)
            log.warning("%s came with wrong bytes from %s: %s", _short(request), _list(senders), outcome)
        if isinstance(outcome, LibreseedError):
            raise outcome
        for sender, length in senders.items():
            self._fetcher.reputation.note_delivered(sender, length)
        return outcome

    def _note(self, need: Need, fellows: Iterable[Endpoint]) -> None:
        if need is Need.UNREACHED:
            self._fetcher.reputation.note_unreached(fellows)

    async def _meet_others(self, download: Download) -> None:
        """Tell those who hold a blob that it is fetched here by its own torrent, and ask those who fetch it too: of a
        large one again and again, as long as it lasts."""
        pause = _MEET_AGAIN
        while True:
            for holder in self._holders[download.ref]:
                met = await self._fetcher.overlay.join(holder, self._request.digest)
                if met is not None and download.ref.length >= LARGE:
                    download.introduce(met.peers, met.number, met.count)
            if download.ref.length < LARGE:
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


def _short(request: BlobRequest) -> str:
    return "/".join(request.tarball) if request.tarball else f"sha512-{request.digest.hex()[:16]}…"


def _list(peers: Iterable[Endpoint]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in peers)
