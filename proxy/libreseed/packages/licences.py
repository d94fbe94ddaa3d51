"""Licences of packages. Sources: SPDX 2.3, annex D (expressions); npm's documentation of package.json's `license`."""

import re
from collections.abc import Collection
from typing import Any

_LENGTH = 500
_INNERMOST = re.compile(r"\(([^()]*)\)")
_YES, _NO = "<yes>", "<no>"


def licence_of(manifest: dict[str, Any]) -> str:
    """Return the licence of a version as an SPDX expression, "" when it names none.

    The old field `licenses`, a list, becomes an expression with OR, as npm's documentation translates it.
    """
    text = _text(manifest.get("license"))
    listed = manifest.get("licenses")
    if not text and isinstance(listed, list):
        text = " OR ".join(f"({each})" for each in map(_text, listed) if each)
    return text.strip()


def is_permitted(expression: str, permitted: Collection[str]) -> bool:
    """Tell whether a licence may be chosen from `permitted`, which are SPDX identifiers in lower case.

    AND, OR and parentheses are understood. `X+` and `X WITH exception` give more rights than `X`, so they are permitted
    where `X` is. Anything else, and a text over 500 characters, is permitted only when it is listed word for word.
    """
    text = " ".join(expression.split())
    if text.lower() in permitted:
        return True
    if len(text) > _LENGTH or "<" in text:
        return False
    while match := _INNERMOST.search(text):
        inner = _YES if _holds(match[1], permitted) else _NO
        text = text[: match.start()] + inner + text[match.end() :]
    return _holds(text, permitted)


def _holds(text: str, permitted: Collection[str]) -> bool:
    """Tell whether an expression without parentheses is permitted; AND binds more strongly than OR."""
    alternatives = [choice.split(" AND ") for choice in text.split(" OR ")]
    return any(all(_is_listed(licence.strip(), permitted) for licence in choice) for choice in alternatives)


def _is_listed(licence: str, permitted: Collection[str]) -> bool:
    if licence in (_YES, _NO):
        return licence == _YES
    name = licence.lower()
    return any(form in permitted for form in (name, name.removesuffix("+"), name.partition(" with ")[0]))


def _text(value: object) -> str:
    """Return a licence in npm's two spellings: `"MIT"` and the old `{"type": "MIT", "url": …}`."""
    match value:
        case str(text) | {"type": str(text)}:
            return text
        case _:
            return ""
