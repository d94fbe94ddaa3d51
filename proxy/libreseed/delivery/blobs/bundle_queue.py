"""What waits to come from a neighbour in bundles."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from libreseed.errors import LibreseedError
from libreseed.network.overlay.introductions import Introduction
from libreseed.store.tables.catalogue import TarballName
from libreseed.trust.records import BlobRef

MAX_ASKED = 48
"""Blobs that a bundle is asked for at a time."""
MAX_BYTES = 4 << 20
"""Their bytes, unless the last one exceeds it."""
SIDE_BY_SIDE = 3
"""Bundles on their way from one neighbour at a time."""

Outcome = BlobRef | Introduction
"""A blob that has come; or who else fetches it by its own torrent, by which it is to be fetched here too."""


def _new_future() -> "asyncio.Future[Outcome]":
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A blob to fetch, of `length` bytes. `v2` is the infohash of its own torrent, and it is `in_demand` when others
    asked the holder for it lately.

    `started` is set as soon as the holder delivers it, or what it waits for. `shared` and `tarball` are as in
    `Incoming`.
    """

    digest: bytes
    length: int
    started: asyncio.Event
    shared: bool
    tarball: TarballName | None
    v2: bytes = b""
    in_demand: bool = False
    outcome: "asyncio.Future[Outcome]" = field(default_factory=_new_future)

    def is_among(self, lengths: Mapping[bytes, int]) -> bool:
        """Tell whether it is one of these blobs, lengths in bytes by SHA-512."""
        return lengths.get(self.digest) == self.length

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
        claimed = [part for part in self._waiting if part.is_among(lengths)]
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

    def tell_started(self) -> None:
        """The holder delivers, and then what waits."""
        for part in self._waiting:
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
        while self._waiting and len(parts) < MAX_ASKED and sum(part.length for part in parts) < MAX_BYTES:
            parts.append(self._waiting.pop(0))
        return parts
