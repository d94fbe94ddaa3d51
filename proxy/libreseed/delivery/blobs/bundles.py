"""Fetching many small blobs from one neighbour in a few torrents (docs/protocol.md, "Bundles").

A blob that is wanted alone goes its own way at once. What comes to be wanted while bundles are under way waits for the
next: so there are few torrents when much is wanted, and nothing waits when little is.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from libreseed.concurrency.tasks import Tasks
from libreseed.delivery.blobs.bundle_queue import ComingBundle, Outcome, Part, WaitingLine, settle_all
from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.errors import IntegrityError, LibreseedError, UnavailableError
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.bundle import MAX_FILE, BundleDownload
from libreseed.swarm.seeding import Incoming
from libreseed.trust.records import Endpoint

STALL = 2.0
"""Seconds without a new verified piece after which a bundle is given up, and each of its blobs sought elsewhere."""


class BundleFetcher:
    """The bundles that are under way to this node."""

    def __init__(self, swarm: SwarmParts) -> None:
        self._swarm = swarm
        self._coming: dict[bytes, ComingBundle] = {}
        self._lines: dict[Endpoint, WaitingLine] = {}
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
            line = self._lines[holder] = WaitingLine(
                lambda line, parts: self._tasks.start(self._run(holder, line, parts))
            )
        line.add(part)
        try:
            return await part.outcome
        finally:
            if line.is_idle and self._lines.get(holder) is line:
                del self._lines[holder]

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.stop()

    async def _run(self, holder: Endpoint, line: "WaitingLine", parts: Sequence[Part]) -> None:
        try:
            await self._fetch(holder, line, parts)
        except LibreseedError as error:
            settle_all(parts, error)
        finally:
            settle_all(parts, UnavailableError("The bundle was given up."))

    async def _fetch(self, holder: Endpoint, line: "WaitingLine", parts: Sequence[Part]) -> None:
        unclaimed = {part.ref.sha512: part for part in parts}
        with line.turn():
            offers = await self._swarm.overlay.request_bundles(holder, [*unclaimed])
            taking = [self._take(holder, line, unclaimed, *offer) for offer in offers]
            for outcome in await asyncio.gather(*taking, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, LibreseedError):
                    raise outcome
        settle_all(unclaimed.values(), Introduction())

    async def _take(
        self,
        holder: Endpoint,
        line: "WaitingLine",
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
        folder = self._swarm.offers.reopen(v2) or self._swarm.blobs.incoming_dir()
        coming = self._coming[v2] = ComingBundle(v2, holder, introduction, folder)
        try:
            await self._download(coming, line, unclaimed)
        except LibreseedError as error:
            coming.fail(error)
            raise
        finally:
            del self._coming[v2]
            coming.fail(UnavailableError("The bundle was given up."))
            if not coming.goes_on:
                await self._swarm.blobs.discard(folder)

    async def _download(self, coming: ComingBundle, line: WaitingLine, unclaimed: dict[bytes, Part]) -> None:
        swarm = self._swarm
        download = BundleDownload(
            swarm.session,
            coming.v2,
            coming.folder,
            peers=[],
            stall=STALL,
            length=sum(part.ref.length for part in unclaimed.values()),
            choose=coming.choose,
        )
        swarm.ask(download, coming.holder, coming.introduction)
        coming.claim(line, unclaimed)
        async with download:
            coming.download = download
            await download.first_piece()
            line.tell_started(coming.parts.values())
            while coming.parts:
                await download.complete()
                parts, coming.parts = coming.parts, {}
                senders = await download.senders()
                if not await self._store(download.files, parts):
                    self._swarm.reputation.note_wrong(senders)
                    return
                self._swarm.reputation.note_right(senders)
            coming.goes_on = True
            self._pass_on(coming.v2, download, coming.folder)

    async def _store(self, files: Mapping[bytes, Path], parts: Mapping[bytes, Part]) -> bool:
        """Check and store what has come; tell whether none of it was wrong."""
        incoming = [Incoming(files[digest], digest, part.shared, part.tarball) for digest, part in parts.items()]
        outcomes = await self._swarm.seeding.add_files(incoming, keep=True)
        for part, outcome in zip(parts.values(), outcomes, strict=True):
            part.settle(outcome)
        return not any(isinstance(outcome, IntegrityError) for outcome in outcomes)

    def _pass_on(self, v2: bytes, download: BundleDownload, folder: Path) -> None:
        """Let a bundle go on for others who fetch it, as it is: they would lose a peer while it is made anew."""
        end_torrent = download.detach()

        def end(*, keep_folder: bool) -> None:
            end_torrent()
            if not keep_folder:
                self._tasks.start(self._swarm.blobs.discard(folder))

        self._swarm.offers.keep(v2, download.files.keys() if download.is_whole else (), folder, end)
