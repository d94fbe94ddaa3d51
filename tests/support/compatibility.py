"""The table of docs/compatibility.md, made of the tests in tests/e2e/clients.

`PYTHONPATH=tests python -m support.compatibility` writes it anew.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.registry_clients import KINDS

TESTS = Path(__file__).parents[1] / "e2e" / "clients"
DOCUMENT = Path(__file__).parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- the table: begin -->\n", "<!-- the table: end -->\n"


@dataclass(frozen=True)
class Row:
    """What a test covers: a command of the matrix, and the endpoints behind it."""

    command: str
    endpoints: str


def covers(command: str, endpoints: str) -> Callable[[Any], Any]:
    """Run a test with each client that has the command, and give it a row in the table."""

    def decorate(test: Any) -> Any:
        test.covers = Row(command, endpoints)
        return pytest.mark.parametrize("client", clients(command), indirect=True)(test)

    return decorate


def clients(command: str) -> list[str]:
    """Return the names of the clients that have a command and with which it works."""
    return [name for name, kind in KINDS.items() if command in kind.commands and command not in kind.faults]


def rows() -> Iterator[tuple[Row, str]]:
    """Return the rows, each with the id of its test without the client: `test_reading.py::test_view`."""
    for path in sorted(TESTS.glob("test_*.py")):
        module = importlib.import_module(f"e2e.clients.{path.stem}")
        for name, value in vars(module).items():
            if row := getattr(value, "covers", None):
                yield row, f"{path.name}::{name}"


def table() -> str:
    """Return the table as Markdown, and why something does not work."""
    faults = [f"{command} by {name}: {why}" for name, kind in KINDS.items() for command, why in kind.faults.items()]
    lines = [
        f"| Command | Endpoints | Test | {' | '.join(KINDS)} |",
        f"|---|---|---|{':-:|' * len(KINDS)}",
    ]
    for row, test in rows():
        cells = [_cell(row.command, name) for name in KINDS]
        lines.append(f"| {row.command} | {row.endpoints} | `{test}` | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"- {fault}" for fault in faults)]) + "\n"


def document() -> str:
    """Return docs/compatibility.md with the table as it should be."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


def _cell(command: str, client: str) -> str:
    kind = KINDS[client]
    if command not in kind.commands:
        return "-"
    return "no" if command in kind.faults else "yes"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
