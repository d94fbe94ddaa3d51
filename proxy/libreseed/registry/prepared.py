"""Packuments as bytes ready to send: serialised, compressed and tagged once, then sent as they are."""

import asyncio
import hashlib
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

import orjson

from libreseed.packages.packument import Packument, abbreviated, with_tarballs

_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Prepared:
    """One form of a packument: its JSON, the same gzipped, and the validators that both share.

    `modified`: the package's `time.modified` as an HTTP date, "" when it has none.
    """

    source: bytes
    body: bytes
    gzipped: bytes
    etag: str
    modified: str

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, roughly."""
        return len(self.body) + len(self.gzipped)


class PreparedPackuments:
    """The forms asked for last, up to `limit` bytes."""

    def __init__(self, limit: int = 256 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._forms: OrderedDict[tuple[str, bool, str], Prepared] = OrderedDict()

    async def get(self, name: str, source: bytes, *, short: bool, base_url: str) -> Prepared:
        """Return a form of the packument whose JSON is `source`, with tarballs below `base_url`."""
        key = (name, short, base_url)
        form = self._forms.get(key)
        if form is not None and (form.source is source or form.source == source):
            self._forms.move_to_end(key)
            return form
        form = await asyncio.to_thread(_prepare, source, short, base_url)
        old = self._forms.pop(key, None)
        self._size += form.size - (old.size if old else 0)
        self._forms[key] = form
        while self._size > self._limit and len(self._forms) > 1:
            self._size -= self._forms.popitem(last=False)[1].size
        return form


def _prepare(source: bytes, short: bool, base_url: str) -> Prepared:
    packument = with_tarballs(orjson.loads(source), base_url)
    body = orjson.dumps(abbreviated(packument) if short else packument)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    gzipped = packer.compress(body) + packer.flush()
    return Prepared(source, body, gzipped, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"', _modified(packument))


def _modified(packument: Packument) -> str:
    match packument.get("time"):
        case {"modified": str(text)}:
            pass
        case _:
            return ""
    try:
        when = datetime.fromisoformat(text)
        return format_datetime((when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC), usegmt=True)
    except (ValueError, OverflowError):
        return ""
