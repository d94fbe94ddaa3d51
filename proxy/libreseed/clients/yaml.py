"""Changes top-level settings of a YAML file line by line, so that all else stays as its author wrote it.

This is no YAML parser: it knows the forms in which people and tools usually write settings, and refuses others.
"""

import json
import re
from collections.abc import Sequence

from libreseed.clients.formats import not_understood
from libreseed.clients.lines import insert, splice, split

_QUIET = re.compile(r"\s*(?:#.*)?$")
_BELOW = re.compile(r"[ \t\-\]}]")
_ITEM = re.compile(r"""(?P<indent>\s*)-\s+(?P<value>"[^"]*"|'[^']*'|[^\s#"']+)""")
_FLOW_LIST = re.compile(r"\[(?P<items>[^\[\]#]*)\]\s*(?:#.*)?$")


def quote(text: str) -> str:
    """Return a YAML scalar of `text`."""
    return json.dumps(text)


class Settings:
    """The lines of a file, in which top-level settings can be read and changed. Methods that change one return the
    whole new text.

    All raise ConfigError for a file or setting in a form that is not known.
    """

    def __init__(self, text: str) -> None:
        self._lines = split(text)
        self._top = _top(self._lines)

    def scalar(self, key: str) -> str | None:
        """Return the value of a setting as a string, None when it is missing, "" when it is no scalar."""
        found = self._find(key)
        return None if found is None else _unquote(found[2])

    def with_scalar(self, key: str, value: str) -> str:
        """Set a setting to a string."""
        new = f"{key}: {quote(value)}"
        found = self._find(key)
        if found is None:
            return "".join(insert(self._lines, self._top, new))
        start, end, _ = found
        if end > start + 1:
            raise not_understood(key)
        return self._put(start, end, new)

    def with_item(self, key: str, item: str) -> str:
        """Add an item to a setting that is a list of strings, unless the list has it."""
        found = self._find(key)
        if found is None:
            return "".join(insert(self._lines, self._top, f"{key}:", f"  - {quote(item)}"))
        start, end, value = found
        flow = _FLOW_LIST.match(value)
        if flow and end == start + 1:
            items = [text for text in map(str.strip, flow["items"].split(",")) if text]
            if item in map(_unquote, items):
                return "".join(self._lines)
            return self._put(start, end, f"{key}: [{', '.join([quote(item), *items])}]")
        rows = [row for row in self._lines[start + 1 : end] if not _QUIET.match(row)]
        items_found = [_ITEM.match(row) for row in rows]
        first = items_found[0] if items_found else None
        if value or first is None or None in items_found:
            raise not_understood(key)
        if item in (_unquote(match["value"]) for match in items_found if match):
            return "".join(self._lines)
        return "".join(insert(self._lines, start + 1, f"{first['indent']}- {quote(item)}"))

    def with_nested(self, key: str, middle: str, inner: str, value: str) -> str:
        """Set `inner` of the mapping `middle` of the mapping `key` to a string."""
        found = self._find(key)
        step = "  "
        if found is None:
            new = [f"{key}:", f"{step}{quote(middle)}:", f"{step * 2}{inner}: {quote(value)}"]
            return "".join(insert(self._lines, self._top, *new))
        start, end, rest = found
        children = [row for row in self._lines[start + 1 : end] if not _QUIET.match(row)]
        if rest or not children:
            raise not_understood(key)
        indent = children[0][: len(children[0]) - len(children[0].lstrip())]
        place = next((i for i in range(start + 1, end) if _key(self._lines[i], indent) == middle), None)
        if place is None:
            return "".join(
                insert(self._lines, start + 1, f"{indent}{quote(middle)}:", f"{indent}{step}{inner}: {quote(value)}")
            )
        if _value(self._lines[place]):
            raise not_understood(f"{key} of {middle}")
        last = next((i for i in range(place + 1, end) if _indent(self._lines[i]) <= len(indent)), end)
        deeper = next((row for row in self._lines[place + 1 : last] if not _QUIET.match(row)), indent + step)
        deep = deeper[: _indent(deeper) or len(indent + step)]
        new_line = f"{deep}{inner}: {quote(value)}"
        for i in range(place + 1, last):
            if _key(self._lines[i], deep) == inner:
                return self._put(i, i + 1, new_line)
        return "".join(insert(self._lines, place + 1, new_line))

    def _find(self, key: str) -> tuple[int, int, str] | None:
        """Return the range of a setting's lines, and the text after its colon without a comment."""
        places = [i for i, line in enumerate(self._lines) if _key(line, "") == key]
        if not places:
            return None
        if len(places) > 1:
            raise not_understood(key)
        start = end = places[0]
        for i in range(start + 1, len(self._lines)):
            line = self._lines[i]
            if _QUIET.match(line):
                continue
            if not _BELOW.match(line):
                break
            end = i
        return start, end + 1, _value(self._lines[start])

    def _put(self, start: int, end: int, *new: str) -> str:
        return "".join(splice(self._lines, start, end, *new))


def _top(lines: Sequence[str]) -> int:
    """Return the index at which a first setting can be inserted: after directives and `---`."""
    top, settings = 0, False
    for i, line in enumerate(lines):
        bare = line.removeprefix("\ufeff")
        if _QUIET.match(bare):
            continue
        if not settings and (bare.startswith("%") or re.match(r"---\s*(?:#.*)?$", bare)):
            top = i + 1
        elif _key(line, "") is not None:
            settings = True
        elif not settings or not _BELOW.match(bare) or bare.startswith("---"):
            raise not_understood("everything")
    return top


def _key(line: str, indent: str) -> str | None:
    pattern = re.escape(indent) + r"""(?P<key>"[^"]*"|'[^']*'|[^\s"'#\[\]{},&*!|>%@`-][^#\r\n]*?)\s*:(?:\s|$)"""
    match = re.match(pattern, line.removeprefix("\ufeff"))
    return _unquote(match["key"]) if match else None


def _value(line: str) -> str:
    rest = re.split(r":(?:\s+|$)", line.strip(), maxsplit=1)[1:]
    return re.sub(r"(?:^|\s+)#.*", "", rest[0]).strip() if rest else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if not _QUIET.match(line) else len(line)


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
