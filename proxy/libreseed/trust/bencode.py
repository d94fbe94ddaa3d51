"""Canonical bencoding (BEP 3; docs/protocol.md, section 3): each value has exactly one encoding, and no other is read.

Python values: `int`, `bytes`, `list`, and `dict` with `bytes` keys.
"""

from typing import TypeAlias

from libreseed.errors import InvalidInputError

Bencodable: TypeAlias = "int | bytes | list[Bencodable] | dict[bytes, Bencodable]"

_MAX_DEPTH = 16
"""Lists and dictionaries within each other (docs/protocol.md, section 3)."""


def encode(value: Bencodable) -> bytes:
    """Return the canonical bencoding of `value`, dictionary keys sorted."""
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l%be" % b"".join(map(encode, value))
    return b"d%be" % b"".join(encode(key) + encode(value[key]) for key in sorted(value))


def decode(data: bytes) -> Bencodable:
    """Return the value of `data`, which must be exactly one canonical bencoding.

    Raises InvalidInputError for what docs/protocol.md, section 3 refuses: malformed bencoding, bytes after its end,
    keys out of order or repeated, leading zeros, `-0`, integers beyond 64 bits, nesting deeper than 16.
    """
    try:
        value, end = _decode(data, 0, 0)
    except (IndexError, ValueError) as error:
        raise InvalidInputError("Malformed bencoding.") from error
    if end != len(data):
        raise InvalidInputError("Malformed bencoding: bytes after its end.")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Bencodable, int]:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    kind = data[at : at + 1]  # BEP 3: "i", "l", "d", or the first digit of a string's length
    if kind == b"i":
        end = data.index(b"e", at)
        return _integer(data[at + 1 : end]), end + 1
    if kind == b"l":
        items: list[Bencodable] = []
        at += 1
        while data[at] != ord("e"):
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        return _dictionary(data, at + 1, depth)
    colon = data.index(b":", at)
    length = _integer(data[at:colon])
    end = colon + 1 + length
    if length < 0 or end > len(data):
        raise ValueError("string longer than its data")
    return data[colon + 1 : end], end


def _dictionary(data: bytes, at: int, depth: int) -> tuple[Bencodable, int]:
    entries: dict[bytes, Bencodable] = {}
    last: bytes | None = None
    while data[at] != ord("e"):
        key, at = _decode(data, at, depth + 1)
        # BEP 3: keys are strings, sorted as raw bytes; none occurs twice.
        if not isinstance(key, bytes) or (last is not None and key <= last):
            raise ValueError("keys not sorted")
        entries[key], at = _decode(data, at, depth + 1)
        last = key
    return entries, at + 1


def _integer(digits: bytes) -> int:
    number = int(digits) if len(digits) <= 20 else 1 << 64  # 64 bits have 20 characters at most, the sign included
    # BEP 3: no leading zeros, no "-0". Python's other spellings, such as "+1" and "1_0", do not come back alike either.
    if b"%d" % number != digits or not -(1 << 63) <= number < 1 << 63:
        raise ValueError("integer not canonical")
    return number
