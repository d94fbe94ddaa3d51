"""Tells public from restricted packages (the two kinds of `npm access`) among those that were fetched with credentials.

A client that is logged in sends its token with every request, so a token says nothing about the package. An anonymous
HEAD of the same URL does; it is sent beside the fetch. What remains in doubt counts as restricted.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Self

from yarl import URL

from libreseed.errors import LibreseedError
from libreseed.upstream.limits import Limits
from libreseed.upstream.settings import UpstreamSettings
from libreseed.upstream.transport import Answer, Transport

_KEPT = 20_000
"""Verdicts that are cached."""

Comparison = Callable[[Answer, Answer], bool]
"""Takes an anonymous answer and one with credentials, and returns whether both are the same document."""


class Access:
    """Finds out what is restricted, and caches that for `limits.access_again` seconds.

    The verdict on a packument also holds for tarballs below its registry's `<name>/-`, where npm puts them; that on a
    tarball for the others in its folder.
    """

    def __init__(self, settings: UpstreamSettings, transport: Transport, limits: Limits) -> None:
        self._settings = settings
        self._transport = transport
        self._limits = limits
        self._verdicts: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def packument(self, name: str, url: URL, registry: URL) -> "AccessCheck":
        """Return a check of the packument of `name` at `url`."""
        return self._check(name, url, registry, _are_packuments, str(url), f"{registry}{name}/-")

    def tarball(self, name: str, url: URL, registry: URL) -> "AccessCheck":
        """Return a check of the tarball at `url`; `name` is the package, "" when it is not known."""
        folder, _, file = str(url).rpartition("/")
        # With a percent-encoded slash the file may be in another folder, so its verdict is kept for this URL alone.
        return self._check(name, url, registry, _are_same_bytes, str(url) if "%" in file else folder)

    def cached_verdict(self, key: str) -> bool | None:
        """Return whether `key` is restricted, None when no verdict is cached or it is too old."""
        until, restricted = self._verdicts.get(key, (0.0, True))
        return restricted if asyncio.get_running_loop().time() < until else None

    def keep_verdict(self, key: str, restricted: bool) -> None:
        """Cache a verdict; beyond 20,000 the oldest is dropped."""
        self._verdicts[key] = asyncio.get_running_loop().time() + self._limits.access_again, restricted
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > _KEPT:
            self._verdicts.popitem(last=False)

    async def ask(self, url: URL) -> Answer | None:
        """Return the answer to an anonymous HEAD of `url`; None for an error, or after `limits.access` seconds."""
        try:
            async with asyncio.timeout(self._limits.access):
                with closing(await self._transport.head(url)) as answer:
                    return answer
        except (LibreseedError, TimeoutError):
            return None

    def _check(self, name: str, url: URL, registry: URL, comparison: Comparison, *keys: str) -> "AccessCheck":
        settings = self._settings
        private = settings.is_private(name) and settings.identifies(registry, registry)
        # A query may hold a secret itself, so that an answer without credentials does not make the document public.
        askable = settings.identifies(url, registry) and not private and not url.query_string
        return AccessCheck(
            self,
            url=url,
            comparison=comparison,
            keys=keys,
            verdict=self.cached_verdict(keys[0]) if askable else True,
            private=private,
        )


class AccessCheck:
    """Tells for one fetch whether what comes is restricted. A context manager: entering it sends the HEAD if one is
    needed, leaving it cancels that.

    `verdict`: whether what needs credentials is restricted, None when a HEAD is to tell. `private`: so is what comes
    without credentials.
    """

    def __init__(
        self,
        access: Access,
        url: URL,
        comparison: Comparison,
        keys: tuple[str, ...],
        verdict: bool | None,
        *,
        private: bool,
    ) -> None:
        self._access = access
        self._url = url
        self._comparison = comparison
        self._keys = keys
        self._verdict = verdict
        self._private = private
        self._head: asyncio.Task[Answer | None] | None = None

    async def restricted(self, answer: Answer) -> bool:
        """Tell whether what came as `answer` is restricted. It waits for the HEAD, at most `limits.access` seconds."""
        if not answer.identified:
            return self._private
        if self._verdict is None:
            public = await self._head if self._head is not None else None
            self._verdict = public is None or not self._comparison(public, answer)
            for key in self._keys:
                self._access.keep_verdict(key, self._verdict)
        return self._verdict

    async def __aenter__(self) -> Self:
        if self._verdict is None:
            self._head = asyncio.create_task(self._access.ask(self._url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._head is not None:
            self._head.cancel()
            await asyncio.gather(self._head, return_exceptions=True)


def _are_packuments(public: Answer, _: Answer) -> bool:
    # A login page is answered with 200 as well, but it is HTML.
    return "json" in public.headers.get("Content-Type", "").lower()


def _are_same_bytes(public: Answer, ours: Answer) -> bool:
    etag = ours.headers.get("ETag")
    same_etag = etag is not None and public.headers.get("ETag") == etag
    return same_etag or (ours.length is not None and public.length == ours.length)
