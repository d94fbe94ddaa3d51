"""Displays of the demo: live on a terminal, plain lines elsewhere."""

import asyncio
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from libreseed.demo.story import OWN, WELL_KNOWN, Outcome, count
from libreseed.demo.traffic import Transfer

_WINDOW = 8
"""Transfers that are shown at a time."""
_LARGEST = 4
_FRAME = 1 / 12
"""Seconds between two drawings."""
_COLOURS = {"store": "blue", "swarm": "green", "upstream": "yellow"}
_INDENT = (0, 0, 0, 2)


class PlainDisplay:
    """One line for each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._tarballs = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def step(self, title: str, *, tarballs: bool = False) -> None:
        self._steps += 1
        self._tarballs = tarballs
        self._print(f"{self._steps} {title}")

    def looked_up(self, name: str) -> None:
        pass  # npm looks up all names before it asks for tarballs, whose lines tell enough

    def transfer(self, transfer: Transfer) -> None:
        if self._tarballs:
            self._print(
                f"  {transfer.name}@{transfer.version} {transfer.source} {decimal(transfer.bytes)}"
                f" {transfer.milliseconds:.0f} ms"
            )

    def note(self, text: str) -> None:
        self._print(f"  {text}")

    def problem(self, text: str) -> None:
        self._print(f"  {text}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class TerminalDisplay:
    """Redraws the present step at the bottom; earlier steps stay above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._spinner = Spinner("dots")
        self._begin("", tarballs=False)
        self._live = Live(console=console, transient=True, get_renderable=self._draw, auto_refresh=False)

    async def __aenter__(self) -> Self:
        self._live.start()
        self._drawing = asyncio.create_task(self._keep_drawn())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drawing.cancel()
        await asyncio.gather(self._drawing, return_exceptions=True)
        self._finish(failed=error is not None)
        self._live.stop()

    async def _keep_drawn(self) -> None:
        # Not by rich's own thread, which together with a print moves the cursor up twice, over lines that should stay.
        while True:
            self._live.refresh()
            await asyncio.sleep(_FRAME)

    def step(self, title: str, *, tarballs: bool = False) -> None:
        self._finish()
        self._steps += 1
        self._begin(f"{self._steps} {title}", tarballs)

    def looked_up(self, name: str) -> None:
        self._names += 1

    def transfer(self, transfer: Transfer) -> None:
        self._transfers.append(transfer)

    def note(self, text: str) -> None:
        self._notes.append(Text(text))

    def problem(self, text: str) -> None:
        self._notes.append(Text(text, style="red"))
        self._failed = True

    def _begin(self, title: str, tarballs: bool) -> None:
        self._title = title
        self._tarballs = tarballs
        self._failed = False
        self._begun = time.monotonic()
        self._names = 0
        self._notes: list[Text] = []
        self._transfers: list[Transfer] = []

    def _finish(self, *, failed: bool = False) -> None:
        if not self._title:
            return
        headline = self._headline(Text("✗", style="red") if failed or self._failed else Text("✓", style="green"))
        self._title = ""  # from now on nothing of it is drawn at the bottom
        self._console.print(headline)
        if self._tarballs and self._transfers:
            self._console.print(Padding(_digest(self._transfers), _INDENT))
        for note in self._notes:
            self._console.print(Padding(note, _INDENT))

    def _headline(self, mark: RenderableType) -> Table:
        line = Table.grid(expand=True, padding=(0, 1))
        line.add_column(width=1)
        line.add_column(ratio=1)
        line.add_column(justify="right", no_wrap=True)
        seconds = time.monotonic() - self._begun
        line.add_row(mark, Text(self._title, style="bold"), Text(f"{seconds:.1f} s", style="dim"))
        return line

    def _draw(self) -> RenderableType:
        if not self._title:
            return Text()
        parts: list[RenderableType] = [self._headline(self._spinner)]
        if self._names or self._transfers:
            sums = f"{count(self._names, 'name')} looked up, {count(len(self._transfers), 'tarball')}"
            parts.append(Padding(Text(sums, style="dim"), _INDENT))
            parts.append(Padding(_table(self._transfers[-_WINDOW:]), _INDENT))
        parts += [Padding(note, _INDENT) for note in self._notes]
        return Group(*parts)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Print what the demo did, in a few sentences."""
    console.print()
    console.print(Text("What just happened", style="bold"))
    points = Table.grid(padding=(0, 1))
    for paragraph in _account(outcome):
        points.add_row("•", paragraph)
    console.print(points)


def _account(outcome: Outcome) -> list[str]:
    mirrored = count(len({transfer.name for transfer in outcome.mirrored}), "package")
    published = f"The publisher packed and signed {outcome.published} with its own key; no other registry was asked."
    if not outcome.problem:
        published += (
            f" The mirror installed {WELL_KNOWN} from the registry behind it, and passed on what it got:"
            f" the metadata of {mirrored}, signed with its key, and their tarballs."
        )
    tarballs = f"{count(len(outcome.installed), 'tarball')} ({decimal(outcome.bytes)})"
    installed = (
        f"The newcomer was told whom to trust, and nothing else. It looked up {count(outcome.names, 'name')} in"
        f" the DHT, took no record without a valid signature by those keys, fetched {tarballs} from the others"
        f" over BitTorrent and kept none without the promised sha512. npm was done in {outcome.install_seconds:.1f} s."
    )
    alone = (
        f"Then publisher and mirror were switched off, and npm's cache was deleted:"
        f" {count(len(outcome.reinstalled), 'tarball')} came from the newcomer's own store, and the program ran."
    )
    shared = outcome.shared
    together = (
        f"A fleet of {shared.hosts} new nodes fetched all of that from the newcomer at once, and from each other:"
        f" it sent {shared.copies:.2f} times what one of them needs."
    )
    upstream = f"Requests of the newcomer to an upstream registry, from first to last: {outcome.upstream_requests}."
    end = f"All of it took {outcome.seconds:.0f} s."
    lines = [published, installed, alone, together, upstream]
    if outcome.problem:
        lines.append(f"Not shown, because the upstream could not be used: {WELL_KNOWN} and what it depends on.")
    return [*lines, end]


def _digest(transfers: list[Transfer]) -> RenderableType:
    """Return a table of the two requested packages, the largest others, and the sum of the rest."""
    asked = [transfer for name in (OWN, WELL_KNOWN) for transfer in transfers if transfer.name == name]
    others = sorted((each for each in transfers if each not in asked), key=lambda each: each.bytes, reverse=True)
    rest = others[_LARGEST:]
    table = _table([*asked, *others[:_LARGEST]])
    if not rest:
        return table
    sources = " and ".join(sorted({transfer.source for transfer in rest}))
    return Group(table, Text(f"and {len(rest)} more from the {sources}", style="dim"))


def _table(transfers: list[Transfer]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=34, no_wrap=True, overflow="ellipsis")
    table.add_column(width=8)
    table.add_column(width=9, justify="right")
    table.add_column(width=8, justify="right", style="dim")
    for transfer in transfers:
        table.add_row(
            f"{transfer.name}@{transfer.version}",
            Text(transfer.source, style=_COLOURS.get(transfer.source, "red")),
            decimal(transfer.bytes),
            f"{transfer.milliseconds:.0f} ms",
        )
    return table
