"""Search among the packages in the store and by the upstream."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from cachetools import TTLCache

from libreseed.concurrency.single_flight import SingleFlight
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.delivery.metadata.policing import Policing
from libreseed.delivery.sources import Source
from libreseed.errors import LibreseedError, UnavailableError
from libreseed.packages.names import is_name
from libreseed.store.tables.listings import Found, ListingStore
from libreseed.upstream.client import Upstream

log = logging.getLogger(__name__)

_PATH = "-/v1/search"
_MATCHES = 1000
"""Matches in the store that are considered."""
_WORDS = 20
_ANSWER_BYTES = 8 << 20
_TIMEOUT = 5.0
_INDEXING = 1.0
"""Seconds that a search waits for changed packages to be indexed; the remaining ones are found by later searches."""
_AGAIN = 60.0
"""Seconds in which an upstream that failed is not asked again."""

_COLUMNS = {
    "keywords": "keywords",
    "author": "maintainers",
    "maintainer": "maintainers",
    "publisher": "maintainers",
    "scope": "name",
}


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of matches as in `GET /-/v1/search`, and the total number of matches."""

    objects: list[dict[str, Any]]
    total: int
    source: Source


class Search:
    """Finds packages by words, and by `keywords:`, `maintainer:`, `author:` and `scope:` as npm does."""

    def __init__(
        self,
        packuments: PackumentDelivery,
        *,
        ownership: Ownership,
        listings: ListingStore,
        upstream: Upstream | None,
        policing: Policing,
    ) -> None:
        self._packuments = packuments
        self._ownership = ownership
        self._listings = listings
        self._upstream = upstream
        self._policing = policing
        self._reading: SingleFlight[str, None] = SingleFlight()
        self._failures: TTLCache[bool, LibreseedError] = TTLCache(2, _AGAIN)

    async def find(
        self, text: str, size: int, start: int, *, member: bool, may_read: Callable[[str], bool]
    ) -> SearchPage:
        """Return `size` matches from number `start` on. `member`: who asks is logged in, and may see packages that
        needed credentials upstream; `may_read` tells which names the access rules let them read.

        When the upstream answers, its matches follow those in the store that are not packages of its own. Without an
        upstream, or when `text` has a private name, which it must not learn, the whole store is searched. Raises
        StoreError.
        """
        await asyncio.wait([self._reading.start("all", self._read)], timeout=_INDEXING)
        found = await self._listings.find(_terms(text), _MATCHES)
        matches = [match for match in found if self._shows(match, member) and may_read(match.name)]
        own = [found for found in matches if not self._ownership.is_upstreams(found.name)]
        page = own[start : start + size]
        theirs = await self._ask(
            text, size=max(size - len(page), 1), start=max(start - len(own), 0), member=member, may_read=may_read
        )
        if theirs is None:
            page = matches[start : start + size]
            return SearchPage(await self._permitted(list(map(_object, page))), len(matches), "store")
        objects, total = theirs
        objects = [*map(_object, page), *objects[: size - len(page)]]
        return SearchPage(await self._permitted(objects), len(own) + total, "upstream")

    async def close(self) -> None:
        """Cancel running work, and wait for its end."""
        await self._reading.close()

    def _shows(self, found: Found, member: bool) -> bool:
        trusted = found.origin is None or self._ownership.trusts(found.name, found.origin)
        return trusted and (member or not found.restricted) and not self._policing.blocks(found.name)

    async def _read(self) -> None:
        while await self._listings.update():
            pass

    async def _ask(
        self, text: str, size: int, start: int, member: bool, may_read: Callable[[str], bool]
    ) -> tuple[list[dict[str, Any]], int] | None:
        """Return the upstream's matches and their number; None when it is not to be asked, or has no answer."""
        if self._upstream is None or not text.strip() or self._failures.get(member) or await self._is_secret(text):
            return None
        query = urlencode({"text": text, "size": size, "from": start})
        try:
            # What our own credentials let us see, not everybody here may.
            body = await self._upstream.document(
                f"{_PATH}?{query}", limit=_ANSWER_BYTES, timeout=_TIMEOUT, anonymous=not member
            )
            objects, total = await asyncio.to_thread(_parse, body)
        except LibreseedError as error:
            self._failures[member] = error
            return None
        names = [entry["package"]["name"] for entry in objects]
        hidden = set() if member else await self._listings.restricted(names)
        shown = [
            entry
            for entry, name in zip(objects, names, strict=True)
            if name not in hidden
            and may_read(name)
            and self._ownership.is_upstreams(name)
            and (member or not await self._ownership.is_private(name))
        ]
        return shown, total

    async def _permitted(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Remove the matches of which the policy leaves no version, and describe the others by the versions that it
        leaves. A page may get shorter."""
        found = await asyncio.gather(*(self._permit(entry) for entry in objects))
        return [entry for entry in found if entry is not None]

    async def _permit(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        package = entry["package"]
        name, version = package["name"], str(package.get("version"))
        if not self._policing.concerns(name) or self._policing.passes(name, version, package.get("date")):
            return entry
        try:
            self._policing.check_name(name)
            async with asyncio.timeout(_TIMEOUT):
                whole = await self._packuments.stored(name) or await self._packuments.find_whole(name)
                judged = await self._policing.judge(name, whole.body, own=self._ownership.is_published(name))
        except (LibreseedError, TimeoutError) as error:
            log.debug("%s is left out of what search shows: %s", name, error)
            return None
        return {**entry, "package": judged.listing} if judged.listing is not None else None

    async def _is_secret(self, text: str) -> bool:
        """Tell whether the text has the name of a restricted or private package, which the upstream must not learn."""
        words = [word.partition(":")[2] if _column(word) else word for word in text.split()]
        words += [f"@{word.partition(':')[2]}" for word in text.split() if word.startswith("scope:")]
        for word in words:
            if not self._ownership.is_public(word) or await self._ownership.is_private(word):
                return True
        return bool(await self._listings.restricted([word for word in words if is_name(word)]))


def _column(word: str) -> str | None:
    qualifier, colon, _ = word.partition(":")
    return _COLUMNS.get(qualifier) if colon else None


def _terms(text: str) -> list[tuple[str | None, str]]:
    terms: list[tuple[str | None, str]] = []
    for word in text.split():
        column = _column(word)
        values = word.partition(":")[2].split(",") if column else [word]
        terms += [(column, value) for value in values if any(map(str.isalnum, value))]
    return terms[:_WORDS]


def _object(found: Found) -> dict[str, Any]:
    detail = {"quality": 1.0, "popularity": 1.0, "maintenance": 1.0}
    return {"package": found.package, "score": {"final": 1.0, "detail": detail}, "searchScore": 1.0}


def _parse(body: bytes) -> tuple[list[dict[str, Any]], int]:
    try:
        match orjson.loads(body):
            case {"objects": list(objects), "total": int(total)}:
                pass
            case _:
                raise UnavailableError("The upstream's search gave no list of matches.")
    except orjson.JSONDecodeError as error:
        raise UnavailableError("The upstream's search gave no JSON.") from error
    return [entry for entry in objects if _names_package(entry)], total


def _names_package(entry: object) -> bool:
    match entry:
        case {"package": {"name": str(name)}}:
            return is_name(name)
        case _:
            return False
