"""A bundle on its way, of which more may come to be wanted."""

import asyncio
from collections.abc import Collection, Mapping

from libreseed.delivery.blobs.bundle_queue import Part, WaitingLine, settle_all
from libreseed.errors import LibreseedError
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.bundle import BundleDownload
from libreseed.trust.records import BlobRef, Endpoint


class OpenBundle:
    """The bundle with the infohash `v2`, on its way from `holder`, together with those that its `introduction`
    names."""

    def __init__(self, v2: bytes, holder: Endpoint, introduction: Introduction) -> None:
        self.v2 = v2
        self.holder = holder
        self.introduction = introduction
        self.has_delivered = False
        """Whether right blobs have come of it: until then what it says that it has may be a lie."""
        self.goes_on = False
        """Whether others get it from here when it is open no longer."""
        self._download: BundleDownload | None = None
        self._lengths: Mapping[bytes, int] = {}
        self._parts: list[Part] = []
        self._claims: list[tuple[WaitingLine, dict[bytes, Part]]] = []
        self._more = asyncio.Event()
        self._known = asyncio.Event()
        self._failure: LibreseedError | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for something of it."""
        return any(not part.outcome.done() for part in self._parts)

    @property
    def lengths(self) -> Mapping[bytes, int]:
        """The blobs that may come with it, lengths in bytes by SHA-512; none as long as it is not to be relied on."""
        return self._lengths if self.has_delivered and self._failure is None else {}

    async def claim(self, line: WaitingLine, unclaimed: dict[bytes, Part]) -> None:
        """Take of it what is unclaimed, and what waits in the line, as soon as it is known what is in it. Raises what
        it fails with before that."""
        self._claims.append((line, unclaimed))
        self._choose_again()
        await self._known.wait()
        if self._failure is not None:
            raise self._failure

    def take(self, part: Part) -> None:
        """Let a blob come with it that is in it."""
        self._parts.append(part)
        part.started.set()
        self._choose_again()

    def choose(self, lengths: Mapping[bytes, int]) -> Collection[bytes]:
        """Return what is wanted of these blobs, lengths in bytes by SHA-512."""
        self._lengths = lengths
        self._known.set()
        claims, self._claims = self._claims, []
        for line, unclaimed in claims:
            fitting = [part for part in unclaimed.values() if part.is_among(lengths)]
            self._parts += [unclaimed.pop(part.digest) for part in fitting]
            self._parts += line.claim(lengths)
        return {part.digest for part in self._parts}

    def begin(self, download: BundleDownload) -> None:
        """It comes by this download."""
        self._download = download

    def parts_among(self, digests: Collection[bytes]) -> list[Part]:
        """Return what is wanted of these blobs."""
        return [part for part in self._parts if part.digest in digests]

    def settle(self, part: Part, outcome: BlobRef | LibreseedError) -> None:
        """This has become of something that was wanted."""
        self._parts.remove(part)
        part.settle(outcome)

    def tell_started(self) -> None:
        """It has begun to come."""
        for part in self._parts:
            part.started.set()

    async def more_wanted(self, patience: float) -> bool:
        """Wait until something more of it is wanted, for so many seconds; tell whether it is."""
        try:
            async with asyncio.timeout(patience):
                while not self.is_wanted:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            pass
        return self.is_wanted

    def fail(self, error: LibreseedError) -> None:
        """Nothing more of it comes."""
        self._failure = self._failure or error
        settle_all(self._parts, error)
        self._known.set()

    def _choose_again(self) -> None:
        self._more.set()
        if self._download is not None:
            self._download.choose_again()
