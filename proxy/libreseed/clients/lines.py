"""Changes single lines of a text file, and undoes such changes after others have edited the file.

A line is a string that includes its line ending, so that the joined lines are the text.
"""

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

_BOM = "\ufeff"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def split(text: str) -> list[str]:
    """Return the lines of `text`; they end at LF, CR LF or CR."""
    return _LINE.findall(text)


def ending(lines: Sequence[str]) -> str:
    """Return the line ending of the first line, LF when it has none."""
    first = lines[0] if lines else ""
    return first[len(first.rstrip("\r\n")) :] or "\n"


def splice(lines: Sequence[str], start: int, stop: int, *new: str) -> list[str]:
    """Return `lines` with those from `start` to before `stop` replaced by new ones, given without line endings.

    A byte order mark stays at the beginning.
    """
    end = ending(lines)
    bare = [_bare(line) for line in lines]
    before, after = bare[:start], bare[stop:]
    if before and not before[-1].endswith(("\r", "\n")):
        before[-1] += end
    result = before + [text + end for text in new] + after
    if lines and lines[0].startswith(_BOM):
        result[0] = _BOM + result[0]
    return result


def insert(lines: Sequence[str], index: int, *new: str) -> list[str]:
    """Return `lines` with new ones, given without line endings, inserted before the one at `index`."""
    return splice(lines, index, index, *new)


def put(lines: Sequence[str], found: Callable[[str], object], new: str, *, stop: int | None = None) -> list[str]:
    """Return `lines` with each one before `stop` for which `found` is true replaced by `new`, given without line
    ending.

    Without such a line `new` becomes the first.
    """
    places = [index for index, line in enumerate(lines[:stop]) if found(_bare(line))]
    if not places:
        return insert(lines, 0, new)
    return [_like(line, new) if index in places else line for index, line in enumerate(lines)]


def take_back(before: str, after: str, current: str) -> tuple[str, bool]:
    """Undo in `current` what changed `before` into `after`, and keep whatever else was changed since.

    The second value is whether all of it was undone: where a line of `after` was edited since, it stays as it is.
    """
    if current == after:
        return before, True
    old, ours, lines = split(before), split(after), split(current)
    complete, position = True, 0
    for kind, start, end, old_start, old_end in SequenceMatcher(None, ours, old, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        # Lines that the change only removed are put back after the line that preceded them.
        anchor = ours[start:end] or ours[start - 1 : start]
        index = _find(lines, anchor, position)
        if index is None:
            complete = False
            continue
        first = index if start < end else index + len(anchor)
        lines[first : first + end - start] = old[old_start:old_end]
        position = first + old_end - old_start
    return "".join(_ended(lines)), complete


def _ended(lines: Sequence[str]) -> list[str]:
    """Add a line ending to each line but the last that lacks one, as a former last line may."""
    end = ending(lines)
    return [line if line.endswith(("\r", "\n")) else line + end for line in lines[:-1]] + list(lines[-1:])


def _find(lines: Sequence[str], wanted: Sequence[str], position: int) -> int | None:
    bare, sought = [line.rstrip("\r\n") for line in lines], [line.rstrip("\r\n") for line in wanted]
    places = [*range(position, len(lines)), *range(position)]
    return next((place for place in places if bare[place : place + len(sought)] == sought), None)


def _bare(line: str) -> str:
    return line.removeprefix(_BOM)


def _like(line: str, new: str) -> str:
    mark = _BOM if line.startswith(_BOM) else ""
    return mark + new + line[len(line.rstrip("\r\n")) :]
