"""Fetching many small blobs from one neighbour in a few torrents (docs/protocol.md, "Bundles").

A blob that is wanted alone goes its own way at once. What comes to be wanted while bundles are under way waits for the
next: so there are few torrents when much is wanted, and nothing waits when little is.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from libreseed.concurrency.tasks import Tasks
from libreseed.errors import IntegrityError, LibreseedError, UnavailableError
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.overlay import Overlay
from libreseed.store.blobs import BlobStore
from libreseed.swarm.bundle import MAX_FILE, MAX_FILES, BundleDownload
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.reserve import Need
from libreseed.swarm.seeding import Incoming, Seeding, Tarball
from libreseed.swarm.session import Session
from libreseed.swarm.shares import DIRECT
from libreseed.trust.records import BlobRef, Endpoint

MAX_BYTES = 4 << 20
"""Bytes of a bundle, unless its last blob exceeds it."""
SIDE_BY_SIDE = 3
"""Bundles on their way from one neighbour at a time."""
STALL = 2.0
"""Seconds without a new verified piece after which a bundle is given up, and each of its blobs sought elsewhere."""


Outcome = BlobRef | Introduction
"""A blob that has come; or who else fetches it by its own torrent, by which it is to be fetched here too."""


def _new_future() -> "asyncio.Future[Outcome]":
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A blob to fetch, `in_demand` when others asked the holder for it lately.

    `started` is set as soon as the holder delivers it, or what it waits for. `shared` and `tarball` are as in
    `Incoming`.
    """

    ref: BlobRef
    started: asyncio.Event
    shared: bool
    tarball: Tarball | None
    in_demand: bool = False
    outcome: "asyncio.Future[Outcome]" = field(default_factory=_new_future)

    def settle(self, outcome: Outcome | LibreseedError) -> None:
        """Tell what became of it, unless that was told, or nobody waits any more."""
        if self.outcome.done():
            return
        if isinstance(outcome, LibreseedError):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class BundleFetcher:
    """The bundles that are under way to this node."""

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
        self._reputation = reputation
        self._offers = offers
        self._overlay = overlay
        self._session = session
        self._blobs = blobs
        self._seeding = seeding
        self._coming: dict[bytes, _Coming] = {}
        self._lines: dict[Endpoint, _Line] = {}
        self._tasks = Tasks()

    async def fetch(self, holder: Endpoint, part: Part) -> Outcome:
        """Fetch a blob from a neighbour, with others that are wanted of it, and store and seed it. An
        Introduction: by its own torrent instead, for nothing else is wanted, or the neighbour makes no bundle with it.

        Raises UnavailableError when the neighbour ceases to deliver, IntegrityError when it has wrong bytes,
        SwarmError, StoreError.
        """
        if part.ref.length > MAX_FILE:
            return Introduction()
        line = self._lines.get(holder)
        if line is None:
            line = self._lines[holder] = _Line(lambda line, parts: self._tasks.start(self._run(holder, line, parts)))
        line.add(part)
        try:
            return await part.outcome
        finally:
            if line.is_idle and self._lines.get(holder) is line:
                del self._lines[holder]

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.stop()

    async def _run(self, holder: Endpoint, line: "_Line", parts: Sequence[Part]) -> None:
        try:
            await self._fetch(holder, line, parts)
        except LibreseedError as error:
            _settle(parts, error)
        finally:
            _settle(parts, UnavailableError("The bundle was given up."))

    async def _fetch(self, holder: Endpoint, line: "_Line", parts: Sequence[Part]) -> None:
        unclaimed = {part.ref.sha512: part for part in parts}
        with line.turn():
            offers = await self._overlay.request_bundles(holder, [*unclaimed])
            taking = [self._take(holder, line, unclaimed, *offer) for offer in offers]
            for outcome in await asyncio.gather(*taking, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, LibreseedError):
                    raise outcome
        _settle(unclaimed.values(), Introduction())

    async def _take(
        self,
        holder: Endpoint,
        line: "_Line",
        unclaimed: dict[bytes, Part],
        v2: bytes,
        introduction: Introduction,
    ) -> None:
        """Fetch of one torrent what is still unclaimed of what was asked for, and what else of it is wanted."""
        own = next((part for part in unclaimed.values() if part.ref.v2 == v2), None)
        if own is not None:
            unclaimed.pop(own.ref.sha512).settle(introduction)
            return
        coming = self._coming.get(v2)
        if coming is not None:
            coming.claim(line, unclaimed)
            await coming.ended()
            return
        folder = self._offers.reopen(v2) or self._blobs.incoming_dir()
        coming = self._coming[v2] = _Coming(folder)
        try:
            await self._download(coming, holder, line, unclaimed, v2, introduction)
        except LibreseedError as error:
            coming.fail(error)
            raise
        finally:
            del self._coming[v2]
            coming.fail(UnavailableError("The bundle was given up."))
            if not coming.goes_on:
                await self._blobs.discard(folder)

    async def _download(
        self,
        coming: "_Coming",
        holder: Endpoint,
        line: "_Line",
        unclaimed: dict[bytes, Part],
        v2: bytes,
        introduction: Introduction,
    ) -> None:
        others = self._reputation.reachable(self._overlay.awake(introduction.peers))
        is_direct = introduction.number < DIRECT or not others
        peers = (holder, *others) if is_direct else others
        download = BundleDownload(self._session, v2, coming.folder, peers=peers, stall=STALL, choose=coming.choose)
        download.introduce(others, introduction.number, introduction.count)
        if not is_direct:
            download.hold_in_reserve(holder, lambda need: self._note(need, others))
        coming.claim(line, unclaimed)
        async with download:
            coming.download = download
            await download.first_piece()
            line.tell_started(coming.parts.values())
            while coming.parts:
                await download.complete()
                parts, coming.parts = coming.parts, {}
                senders = download.senders()
                if not await self._store(download.files, parts):
                    for sender in senders:
                        self._reputation.note_lie(sender)
                    return
                for sender, length in senders.items():
                    self._reputation.note_delivered(sender, length)
            coming.goes_on = True
            self._pass_on(v2, download, coming.folder)

    def _note(self, need: Need, others: Iterable[Endpoint]) -> None:
        if need is Need.UNREACHED:
            self._reputation.note_unreached(others)

    async def _store(self, files: Mapping[bytes, Path], parts: Mapping[bytes, Part]) -> bool:
        """Check and store what has come; tell whether none of it was wrong."""
        incoming = [Incoming(files[digest], digest, part.shared, part.tarball) for digest, part in parts.items()]
        outcomes = await self._seeding.add_files(incoming, keep=True)
        for part, outcome in zip(parts.values(), outcomes, strict=True):
            part.settle(outcome)
        return not any(isinstance(outcome, IntegrityError) for outcome in outcomes)

    def _pass_on(self, v2: bytes, download: BundleDownload, folder: Path) -> None:
        """Let a bundle go on for others who fetch it, as it is: they would lose a peer while it is made anew."""
        end_torrent = download.detach()

        def end(*, keep_folder: bool) -> None:
            end_torrent()
            if not keep_folder:
                self._tasks.start(self._blobs.discard(folder))

        self._offers.keep(v2, download.files.keys() if download.is_whole else (), folder, end)


class _Coming:
    """A bundle on its way. More of it may come to be wanted meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[bytes, Part] = {}
        """What is wanted of it, and has not come yet."""
        self.download: BundleDownload | None = None
        self.goes_on = False
        self._claims: list[tuple[_Line, dict[bytes, Part]]] = []
        self._end = asyncio.Event()

    def claim(self, line: "_Line", unclaimed: dict[bytes, Part]) -> None:
        """Take of it what is unclaimed, and what waits in the line, as soon as it is known what is in it."""
        self._claims.append((line, unclaimed))
        if self.download is not None:
            self.download.choose_again()

    def choose(self, lengths: Mapping[bytes, int]) -> Collection[bytes]:
        """Return what is wanted of these blobs, lengths in bytes by SHA-512."""
        claims, self._claims = self._claims, []
        for line, unclaimed in claims:
            fitting = [each for each in lengths if each in unclaimed and unclaimed[each].ref.length == lengths[each]]
            self.parts.update((digest, unclaimed.pop(digest)) for digest in fitting)
            self.parts.update((part.ref.sha512, part) for part in line.claim(lengths))
        return self.parts.keys()

    def fail(self, error: LibreseedError) -> None:
        """Nothing more of it comes."""
        _settle(self.parts.values(), error)
        self._end.set()

    async def ended(self) -> None:
        """Wait for that."""
        await self._end.wait()


class _Line:
    """What is wanted of one neighbour, in the order in which that came. `give` is called with what goes next; it has
    to take its `turn`."""

    def __init__(self, give: "Callable[[_Line, Sequence[Part]], None]") -> None:
        self._give = give
        self._waiting: list[Part] = []
        self._under_way = 0
        self._due = False

    def claim(self, lengths: Mapping[bytes, int]) -> list[Part]:
        """Return what waits of these blobs, by SHA-512 and length in bytes; it comes without being asked for."""
        claimed = [part for part in self._waiting if lengths.get(part.ref.sha512) == part.ref.length]
        self._waiting = [part for part in self._waiting if part not in claimed]
        return claimed

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._under_way

    def add(self, part: Part) -> None:
        self._waiting.append(part)
        self._go_on()

    def tell_started(self, parts: Iterable[Part]) -> None:
        """The holder delivers these, and then what waits."""
        for part in (*parts, *self._waiting):
            part.started.set()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """As long as it lasts, what was sent is on its way."""
        try:
            yield
        finally:
            self._under_way -= 1
            self._go_on()

    def _go_on(self) -> None:
        if self._waiting and self._under_way < SIDE_BY_SIDE and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._send)  # when all have spoken that are awake now

    def _send(self) -> None:
        self._due = False
        parts = self._next()
        if len(parts) == 1 and not parts[0].in_demand:
            parts[0].settle(Introduction())
        elif parts:
            self._under_way += 1
            self._give(self, parts)
        self._go_on()

    def _next(self) -> list[Part]:
        self._waiting = [part for part in self._waiting if not part.outcome.done()]
        parts: list[Part] = []
        while self._waiting and len(parts) < MAX_FILES and sum(part.ref.length for part in parts) < MAX_BYTES:
            parts.append(self._waiting.pop(0))
        return parts


def _settle(parts: Iterable[Part], outcome: Outcome | LibreseedError) -> None:
    for part in parts:
        part.settle(outcome)
