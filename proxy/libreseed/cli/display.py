"""The progress of an install on stderr: a bar with sources and rates on a terminal, a plain line a stage otherwise."""

import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Display:
    """A `modules.fetch.fetching.Progress`, and a context manager. `quiet`: shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._stack = ExitStack()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._started = time.monotonic()
        self._sources: Counter[str] = Counter()
        self._size = 0

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            self._bar = self._stack.enter_context(_make_bar())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stage(self, text: str, total: int = 0) -> None:
        self._started, self._size = time.monotonic(), 0
        self._sources.clear()
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(text, total=total or None, sources="")
        elif not self._quiet:
            click.echo(f"{text} {packages(total)}" if total else text, err=True)

    def advance(self, source: str, size: int) -> None:
        self._sources[source] += 1
        self._size += size
        if self._bar is not None and self._task is not None:
            counts = ", ".join(f"{count} {name}" for name, count in sorted(self._sources.items()))
            if self._size:
                rate = self._size / max(time.monotonic() - self._started, 0.001) / 1e6
                counts += f", {rate:.1f} MB/s"
            self._bar.update(self._task, advance=1, sources=counts)


def packages(number: int) -> str:
    """Return `1 package` or `2 packages`."""
    return "1 package" if number == 1 else f"{number} packages"


def _make_bar() -> Any:
    from rich.console import Console  # a fifth of the start of a small install
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[sources]}", style="dim"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
