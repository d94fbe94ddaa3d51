"""Fetching many small blobs from one neighbour in a few torrents (docs/protocol.md, "Bundles").

A blob that is wanted alone goes its own way at once. What comes to be wanted while bundles are under way waits for the
next: so there are few torrents when much is wanted, and nothing waits when little is.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from libreseed.concurrency.tasks import Tasks
from libreseed.delivery.blobs.bundle_queue import Outcome, Part, WaitingLine, settle_all
from libreseed.delivery.blobs.open_bundle import OpenBundle
from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.errors import IntegrityError, LibreseedError, SwarmError, UnavailableError
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.bundle import MAX_FILE, BundleDownload, make_bundle, unpack_members
from libreseed.swarm.seeding import Incoming
from libreseed.trust.records import Endpoint

STALL = 2.0
"""Seconds without a new verified piece after which a bundle is given up, and each of its blobs sought elsewhere."""
MEMBERS = 0.5
"""Seconds for which a holder may take to tell what is in a bundle; then its torrent file is asked for (BEP 9)."""
OPEN = 2.0
"""Seconds for which a bundle stays open after the last of it came that was wanted."""


class BundleFetcher:
    """The bundles that are under way to this node."""

    def __init__(self, swarm: SwarmParts) -> None:
        self._swarm = swarm
        self._open: dict[bytes, OpenBundle] = {}
        self._lines: dict[Endpoint, WaitingLine] = {}
        self._tasks = Tasks()

    async def fetch(self, holder: Endpoint, part: Part) -> Outcome:
        """Fetch a blob from a neighbour, with others that are wanted of it, and store and seed it. An
        Introduction: by its own torrent instead, for nothing else is wanted, or the neighbour makes no bundle with it.

        Raises UnavailableError when the neighbour ceases to deliver, IntegrityError when it has wrong bytes,
        SwarmError, StoreError.
        """
        if part.length > MAX_FILE:
            return Introduction()
        line = self._lines.get(holder)
        if line is None:
            line = self._lines[holder] = WaitingLine(
                lambda line, parts: self._tasks.start(self._run(holder, line, parts))
            )
        line.add(part)
        try:
            return await part.outcome
        finally:
            if line.is_idle and self._lines.get(holder) is line:
                del self._lines[holder]

    def find_open(self, digest: bytes) -> OpenBundle | None:
        """Return a bundle that is on its way already, has delivered, and has this blob."""
        return next((each for each in self._open.values() if digest in each.lengths), None)

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.stop()

    async def _run(self, holder: Endpoint, line: WaitingLine, parts: Sequence[Part]) -> None:
        try:
            await self._fetch(holder, line, parts)
        except LibreseedError as error:
            settle_all(parts, error)
        finally:
            settle_all(parts, UnavailableError("The bundle was given up."))

    async def _fetch(self, holder: Endpoint, line: WaitingLine, parts: Sequence[Part]) -> None:
        unclaimed = {part.digest: part for part in parts}
        with line.turn():
            offers = await self._swarm.overlay.request_bundles(holder, [*unclaimed])
            taking = [self._take(holder, line, unclaimed, *offer) for offer in offers]
            for outcome in await asyncio.gather(*taking, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, LibreseedError):
                    raise outcome
            settle_all(unclaimed.values(), Introduction())
            await asyncio.wait([part.outcome for part in parts])

    async def _take(
        self,
        holder: Endpoint,
        line: WaitingLine,
        unclaimed: dict[bytes, Part],
        v2: bytes,
        introduction: Introduction,
    ) -> None:
        """Let come of one torrent what is still unclaimed of what was asked for, and what else of it is wanted."""
        own = next((part for part in unclaimed.values() if part.v2 == v2), None)
        if own is not None:
            unclaimed.pop(own.digest).settle(introduction)
            return
        bundle = self._open.get(v2)
        if bundle is None:
            bundle = self._open[v2] = OpenBundle(v2, holder, introduction)
            length = sum(part.length for part in unclaimed.values())
            self._tasks.start(self._keep_open(bundle, line, length))
        await bundle.claim(line, unclaimed)

    async def _keep_open(self, bundle: OpenBundle, line: WaitingLine, length: int) -> None:
        known = self._swarm.offers.reopen(bundle.v2)
        folder = known or self._swarm.blobs.incoming_dir()
        try:
            await self._download(bundle, line, folder, length, reopened=known is not None)
        except LibreseedError as error:
            bundle.fail(error)
        finally:
            del self._open[bundle.v2]
            bundle.fail(UnavailableError("The bundle was given up."))
            if not bundle.goes_on:
                await self._swarm.blobs.discard(folder)

    async def _ask_members(self, bundle: OpenBundle) -> tuple[bytes, bytes]:
        """Return what is in a bundle, packed, and its torrent file; nothing when its holder does not tell the truth, or
        not in time."""
        try:
            async with asyncio.timeout(MEMBERS):
                packed = await self._swarm.overlay.request_members(bundle.holder, bundle.v2)
            made = make_bundle(unpack_members(packed))
        except (SwarmError, TimeoutError):
            return b"", b""
        return (packed, made.metadata) if made.v2 == bundle.v2 else (b"", b"")

    async def _download(
        self, bundle: OpenBundle, line: WaitingLine, folder: Path, length: int, *, reopened: bool
    ) -> None:
        swarm = self._swarm
        members, metadata = (b"", b"") if reopened else await self._ask_members(bundle)
        download = BundleDownload(
            swarm.session,
            bundle.v2,
            folder,
            stall=STALL,
            length=length,
            choose=bundle.choose,
            metadata=metadata,
            reopened=reopened,
        )
        bundle.begin(download)
        swarm.ask(download, bundle.holder, bundle.introduction)
        async with download:
            await download.first_piece()
            bundle.tell_started()
            line.tell_started()
            while bundle.is_wanted or await bundle.more_wanted(OPEN):
                await self._receive(bundle, download)
            await self._pass_on(bundle, download, folder, members)

    async def _receive(self, bundle: OpenBundle, download: BundleDownload) -> None:
        """Check and store what has come next. Raises UnavailableError when something was wrong."""
        files = await download.next_files()
        parts = bundle.parts_among(files)
        incoming = [Incoming(files[part.digest], part.digest, part.shared, part.tarball) for part in parts]
        outcomes = await self._swarm.store(download, incoming)
        is_right = not any(isinstance(outcome, IntegrityError) for outcome in outcomes)
        had_delivered, bundle.has_delivered = bundle.has_delivered, is_right
        if not is_right:  # who is asked for it next must know whom not to believe
            self._swarm.reputation.note_lie(bundle.holder)
        for part, outcome in zip(parts, outcomes, strict=True):
            bundle.settle(part, outcome)
        if not is_right:
            raise UnavailableError(f"Some of {download.label} was wrong.")
        if not (had_delivered and bundle.is_wanted):
            self._swarm.reputation.note_right(await download.senders())

    async def _pass_on(self, bundle: OpenBundle, download: BundleDownload, folder: Path, members: bytes) -> None:
        """Let a bundle go on for others who fetch it, as it is: they would lose a peer while it is made anew. What came
        without being wanted is checked as well: who passes on what is wrong counts as a liar."""
        swarm = self._swarm
        if not await swarm.are_right(download, await download.unwanted_files()):
            swarm.reputation.note_lie(bundle.holder)
            raise UnavailableError(f"Some of {download.label} was wrong.")
        bundle.goes_on = True
        end_torrent = download.detach()

        def end(*, keep_folder: bool) -> None:
            end_torrent()
            if not keep_folder:
                self._tasks.start(swarm.blobs.discard(folder))

        swarm.offers.keep(bundle.v2, download.lengths if download.is_whole else (), members, folder, end)
