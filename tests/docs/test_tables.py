"""Tables are shown as tables."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from docs.documents import DOCUMENTS, title

_DELIMITER = re.compile(r"\|(?: ?:?-+:? ?\|)+")


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_no_table_is_interrupted(document: Path) -> None:
    assert headless(document.read_text()) == []


def test_a_blank_line_ends_a_table() -> None:
    table = "| a | b |\n|---|:-:|\n| 1 | 2 |\n"
    assert headless(table) == []
    assert headless(f"{table}\n{table}") == [], "two tables"
    assert headless(f"{table}\n| 3 | 4 |\n") == ["| 3 | 4 |"]
    assert headless("```\n| not a table |\n```\n") == []


def headless(text: str) -> list[str]:
    """Return the first rows of what is written as a table, but begins without a header and the line below that: what
    comes after a blank line in the middle of a table does, and is shown as text."""
    return [
        block[0] for block in blocks(outside_fences(text.splitlines())) if not _DELIMITER.fullmatch("".join(block[1:2]))
    ]


def blocks(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield the rows of each table."""
    for is_row, block in groupby(lines, lambda line: line.startswith("|")):
        if is_row:
            yield list(block)


def outside_fences(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that are not in a code block; a fence itself parts what is before from what is after."""
    fenced = False
    for line in lines:
        if line.startswith("```"):
            fenced = not fenced
            yield ""
        elif not fenced:
            yield line
