"""What waits to come from a neighbour in bundles, and what is on its way."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from libreseed.errors import LibreseedError
from libreseed.network.overlay.introductions import Introduction
from libreseed.swarm.bundle import MAX_FILES, BundleDownload
from libreseed.swarm.seeding import Tarball
from libreseed.trust.records import BlobRef, Endpoint

MAX_BYTES = 4 << 20
"""Bytes of a bundle, unless its last blob exceeds it."""
SIDE_BY_SIDE = 3
"""Bundles on their way from one neighbour at a time."""

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


def settle_all(parts: Iterable[Part], outcome: Outcome | LibreseedError) -> None:
    """Tell of each of these what became of it (see `Part.settle`)."""
    for part in parts:
        part.settle(outcome)


class WaitingLine:
    """What is wanted of one neighbour, in the order in which that came. `give` is called with what goes next; it has
    to take its `turn`."""

    def __init__(self, give: "Callable[[WaitingLine, Sequence[Part]], None]") -> None:
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
        """Whether nothing waits, and nothing is on its way."""
        return not self._waiting and not self._under_way

    def add(self, part: Part) -> None:
        """Let a blob wait for the next bundle: it goes when all have spoken that are awake now."""
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


class ComingBundle:
    """The bundle with the infohash `v2` on its way from `holder` into `folder`, together with those that its
    `introduction` names. More of it may come to be wanted meanwhile."""

    def __init__(self, v2: bytes, holder: Endpoint, introduction: Introduction, folder: Path) -> None:
        self.v2 = v2
        self.holder = holder
        self.introduction = introduction
        self.folder = folder
        self.parts: dict[bytes, Part] = {}
        """What is wanted of it, and has not come yet."""
        self.download: BundleDownload | None = None
        self.goes_on = False
        self._claims: list[tuple[WaitingLine, dict[bytes, Part]]] = []
        self._end = asyncio.Event()

    def claim(self, line: "WaitingLine", unclaimed: dict[bytes, Part]) -> None:
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
        settle_all(self.parts.values(), error)
        self._end.set()

    async def ended(self) -> None:
        """Wait for that."""
        await self._end.wait()
