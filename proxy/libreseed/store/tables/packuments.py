"""Packuments that came from the upstream, a publisher or a mirror."""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from libreseed.store.database import Database
from libreseed.store.packing import pack, unpack
from libreseed.trust.keys import format_key

UPSTREAM = "upstream"
"""The origin of packuments from the default upstream."""
_MIRROR = "mirror "
_RECENT_BYTES = 128 << 20


def declared_origin(upstream: str) -> str:
    """Return the origin of packuments from the upstream that `[upstreams.NAME]` declares, NAME being `upstream`."""
    return f"{UPSTREAM} {upstream}"


def is_upstreams_origin(origin: str) -> bool:
    """Tell whether `origin` is the default or a declared upstream's."""
    return origin.partition(" ")[0] == UPSTREAM


def publisher_origin(key: bytes) -> str:
    """Return the origin of packuments from a `package` record signed with the 32-byte `key`."""
    return f"publisher {format_key(key)}"


def mirror_origin(key: bytes) -> str:
    """Return the origin of packuments from a `mirror` record signed with the 32-byte `key`."""
    return f"{_MIRROR}{format_key(key)}"


def is_mirror(origin: str | None) -> bool:
    """Tell whether `origin` is a mirror's."""
    return origin is not None and origin.startswith(_MIRROR)


@dataclass(frozen=True, slots=True)
class StoredPackument:
    """A packument as JSON bytes, and where it came from.

    `origin` is UPSTREAM, a `declared_origin`, a `publisher_origin` or a `mirror_origin`; `torrents` is the
    snapshot's, by version, each `(v1, v2, length)` in hex; `checked` is when its source last confirmed it, in
    seconds since the epoch; `revision` is set by the store, and differs whenever the body does.
    """

    name: str
    origin: str
    body: bytes
    torrents: dict[str, Any]
    etag: str | None
    last_modified: str | None
    restricted: bool
    checked: float
    revision: bytes = field(default=b"", compare=False)


class PackumentStore:
    """The table `packuments`. Every method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: OrderedDict[str, StoredPackument] = OrderedDict()
        self._recent_bytes = 0

    async def find(self, name: str) -> StoredPackument | None:
        """Return the packument of `name`, or None."""
        recent = self._recent.get(name)
        if recent is not None:
            self._recent.move_to_end(name)
            return recent
        row = await self._database.row(
            "SELECT origin, body, torrents, etag, last_modified, restricted, checked FROM packuments WHERE name = ?",
            name,
        )
        if row is None:
            return None
        origin, packed, torrents, etag, last_modified, restricted, checked = row
        body = await asyncio.to_thread(unpack, packed)
        found = StoredPackument(
            name=name,
            origin=origin,
            body=body,
            torrents=orjson.loads(torrents),
            etag=etag,
            last_modified=last_modified,
            restricted=bool(restricted),
            checked=checked,
            revision=_revision(packed),
        )
        self._remember(found)
        return found

    async def save(self, packument: StoredPackument) -> StoredPackument:
        """Save a packument in place of an earlier one, and return it with its revision."""
        packed = await asyncio.to_thread(pack, packument.body)
        await self._database.execute(
            "INSERT OR REPLACE INTO packuments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            packument.name,
            packument.origin,
            packed,
            orjson.dumps(packument.torrents),
            packument.etag,
            packument.last_modified,
            packument.restricted,
            packument.checked,
        )
        saved = replace(packument, revision=_revision(packed))
        self._remember(saved)
        return saved

    async def confirm(self, name: str, checked: float) -> None:
        """Save that the source of `name` confirmed its packument at `checked`, in seconds since the epoch."""
        await self._database.execute("UPDATE packuments SET checked = ? WHERE name = ?", checked, name)
        recent = self._recent.get(name)
        if recent is not None:
            self._recent[name] = replace(recent, checked=checked)

    def _remember(self, packument: StoredPackument) -> None:
        earlier = self._recent.pop(packument.name, None)
        self._recent_bytes += len(packument.body) - (len(earlier.body) if earlier else 0)
        self._recent[packument.name] = packument
        while self._recent_bytes > _RECENT_BYTES and len(self._recent) > 1:
            _, dropped = self._recent.popitem(last=False)
            self._recent_bytes -= len(dropped.body)


def _revision(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()
