"""Reads the JSON that clients written in JavaScript read, where a strict parser refuses it.

Old readmes are no UTF-8, descriptions were cut in the middle of an emoji, and editors put a byte order mark before
everything. `JSON.parse` of decoded text takes all of these (ECMA-262, 25.5.1; Encoding Standard, "UTF-8 decode").
"""

import json
from typing import Any, NamedTuple, NoReturn

import orjson

from libreseed.errors import InvalidInputError

MOST = 16 << 20
"""Bytes of what is read so: it takes ten times as long."""


class Read(NamedTuple):
    """A parsed value. `is_strict`: any parser reads what it was read from."""

    value: Any
    is_strict: bool


def read_json(data: bytes | bytearray) -> Read:
    """Parse JSON. What is no character becomes U+FFFD. Raises InvalidInputError for what JSON.parse refuses too."""
    try:
        return Read(orjson.loads(data), is_strict=True)
    except orjson.JSONDecodeError:
        if len(data) > MOST:
            raise InvalidInputError("That is not JSON.") from None
    try:
        value = json.loads(bytes(data).decode("utf-8-sig", "replace"), parse_constant=_refuse)
        text = json.dumps(value, ensure_ascii=False)
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return Read(orjson.loads(whole), is_strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("That is not JSON.") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
