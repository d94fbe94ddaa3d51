"""Packuments ready to be sent: serialised, given an entity tag, and compressed once for each content coding."""

import asyncio
import hashlib
import logging
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from libreseed.concurrency.offloading import offload
from libreseed.delivery.metadata.packuments import FoundPackument
from libreseed.errors import StoreError
from libreseed.packages.packument import Packument, abbreviated, with_tarballs
from libreseed.packages.partial import read_for_forms, write_form
from libreseed.store.packing import pack, unpack
from libreseed.store.tables.prepared import PreparedForm, PreparedStore

log = logging.getLogger(__name__)

CODINGS = ("zstd", "gzip")
"""The content codings offered, best first. Zstandard compresses packuments better than gzip, and ten times as fast."""
_GZIP_LEVEL = 6
_KEPT = 32 << 10
"""Bytes of a packument from which on its forms are also saved in the database."""
_QUICK = 32 << 10
"""Bytes below which compressing takes less time than handing the work to a thread."""


@dataclass(slots=True)
class Prepared:
    """One form of a packument: the validators of all its codings (RFC 9110, 8.8), and the codings made so far, of which
    zstd always is one.

    `modified`: the package's `time.modified` as an HTTP date, "" when it has none.
    """

    key: tuple[str, bool, str]
    revision: bytes
    etag: str
    modified: str
    codings: dict[str, bytes]
    kept: bool
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, roughly."""
        return sum(map(len, self.codings.values()))


class PreparedPackuments:
    """A cache of the forms used last, up to `limit` bytes; large ones are also in the database."""

    def __init__(self, store: PreparedStore, limit: int = 256 << 20) -> None:
        self._store = store
        self._limit = limit
        self._size = 0
        self._forms: OrderedDict[tuple[str, bool, str], Prepared] = OrderedDict()
        self._making: dict[tuple[str, bool, str], asyncio.Lock] = {}

    async def get(self, found: FoundPackument, *, short: bool, base_url: str) -> Prepared:
        """Return a form of a packument, with tarball URLs below `base_url`; `short`: abbreviated. Raises StoreError."""
        key = (found.name, short, base_url)
        form = self._find(key, found.revision)
        if form is not None:
            return form
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                return self._find(key, found.revision) or await self._make(key, found)
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    async def coded(self, form: Prepared, coding: str) -> bytes:
        """Return the body of a form in one of CODINGS or "identity", compressed now if it was not before."""
        data = form.codings.get(coding)
        if data is None:
            async with form.making:
                data = form.codings.get(coding)
                if data is None:
                    data = await self._code(form, coding)
        return data

    def _find(self, key: tuple[str, bool, str], revision: bytes) -> Prepared | None:
        form = self._forms.get(key)
        if form is None or form.revision != revision:
            return None
        self._forms.move_to_end(key)
        return form

    async def _make(self, key: tuple[str, bool, str], found: FoundPackument) -> Prepared:
        kept = len(found.body) >= _KEPT
        stored = await self._store.find(*key, found.revision) if kept else None
        if stored is None:
            stored = await offload(lambda: _prepare(key, found), len(found.body), quick=_QUICK)
            if kept:
                await self._keep(stored)
        codings = {"zstd": stored.zstd} | ({"gzip": stored.gzip} if stored.gzip else {})
        form = Prepared(
            key=key, revision=found.revision, etag=stored.etag, modified=stored.modified, codings=codings, kept=kept
        )
        old = self._forms.pop(key, None)
        self._forms[key] = form
        self._grow(form.size - (old.size if old else 0))
        return form

    async def _code(self, form: Prepared, coding: str) -> bytes:
        zstd = form.codings["zstd"]
        data = await offload(
            lambda: _gzip(unpack(zstd)) if coding == "gzip" else unpack(zstd), len(zstd) * 8, quick=_QUICK
        )
        form.codings[coding] = data
        if self._forms.get(form.key) is form:
            self._grow(len(data))
        if form.kept and coding == "gzip":
            await self._keep(PreparedForm(*form.key, form.revision, form.etag, form.modified, zstd, data))
        return data

    async def _keep(self, form: PreparedForm) -> None:
        try:
            await self._store.save(form)
        except StoreError as error:  # it can be made again
            log.warning("The prepared packument of %s was not kept: %s", form.name, error)

    def _grow(self, size: int) -> None:
        self._size += size
        while self._size > self._limit and len(self._forms) > 1:
            self._size -= self._forms.popitem(last=False)[1].size


def _prepare(key: tuple[str, bool, str], found: FoundPackument) -> PreparedForm:
    _, short, base_url = key
    packument = with_tarballs(read_for_forms(found.body), base_url)
    body = write_form(abbreviated(packument) if short else packument)
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    return PreparedForm(*key, found.revision, etag, _modified(packument), pack(body))


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


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
