"""The ini dialect of npm's configuration files, and its `${VARIABLE}` expansion.

Source: npm's documentation of `npmrc`, and the behaviour of its `ini` and `@npmcli/config` packages.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

Value = str | bool | None | list[str | bool | None]

_SECTION = re.compile(r"\[[^\]]*\]\s*")
_ENVIRONMENT = re.compile(r"(?<!\\)(\\*)\$\{([^${}?]+)(\?)?\}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse_ini(text: str) -> dict[str, Value]:
    """Return the settings before the first `[section]`: npm reads nothing from sections.

    Lines that begin with `;` or `#` are comments, and so is what follows an unescaped one of them. A key that
    ends in `[]` collects a list. A key without `=` is true. Never raises: other lines are ignored.
    """
    settings: dict[str, Value] = {}
    for line in re.split(r"[\r\n]+", text.removeprefix("\ufeff")):
        if not line.strip() or line.lstrip()[0] in ";#":
            continue
        if is_section(line):
            break
        name, equals, raw = line.partition("=")
        if not name:
            continue
        key = str(_scalar(name))
        value = _scalar(raw) if equals else True
        if isinstance(value, str):
            value = _WORDS.get(value, value)
        listed = len(key) > 2 and key.endswith("[]")
        key = key.removesuffix("[]") if listed else key
        known = settings.get(key)
        if isinstance(known, list):
            known.append(value)
        elif listed:
            settings[key] = [known, value] if key in settings else [value]
        else:
            settings[key] = value
    return settings


def read_ini(file: Path, environment: Mapping[str, str]) -> dict[str, Value]:
    """Return the settings of a file, with the variables in keys and texts replaced; {} for a file that cannot be read
    (blocking)."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {
        expand(key, environment): expand(value.strip(), environment) if isinstance(value, str) else value
        for key, value in parse_ini(text).items()
    }


def is_section(line: str) -> bool:
    """Tell whether a line, without its end, begins a `[section]`."""
    return _SECTION.fullmatch(line) is not None


def expand(text: str, environment: Mapping[str, str]) -> str:
    r"""Replace `${NAME}` by the variable's value, and `${NAME?}` by it or nothing.

    An unset `${NAME}` stays as it is, and so does `\${NAME}`, without its backslash.
    """

    def replace(match: re.Match[str]) -> str:
        escapes, name, optional = match.groups()
        if len(escapes) % 2:
            return match.group()[(len(escapes) + 1) // 2 :]
        unset = "" if optional else f"${{{name}}}"
        return escapes[len(escapes) // 2 :] + environment.get(name, unset)

    return _ENVIRONMENT.sub(replace, text)


def _scalar(raw: str) -> str | bool | None:
    text = raw.strip()
    if text[:1] == text[-1:] and text[:1] in ('"', "'"):
        inner = text[1:-1] if text[0] == "'" else text
        try:
            value = json.loads(inner)
        except (ValueError, RecursionError):
            return inner
        return value if isinstance(value, str | bool) or value is None else inner
    return _unescape(text)


def _unescape(text: str) -> str:
    result: list[str] = []
    characters = iter(text)
    for character in characters:
        if character in ";#":
            break
        if character == "\\":
            following = next(characters, "")
            result.append(following if following and following in "\\;#" else "\\" + following)
        else:
            result.append(character)
    return "".join(result).strip()
