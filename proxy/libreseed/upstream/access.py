"""Whether what was fetched with credentials is public all the same: npm's two kinds of access, public and restricted.

A user who is logged in shows a token with every request, so a token alone tells nothing. An anonymous HEAD of the
same URL does. It runs beside the fetch, once, and whatever is in doubt counts as restricted.
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
"""Verdicts that are remembered."""

Comparison = Callable[[Answer, Answer], bool]
"""Tells from an anonymous answer and one to us whether they show the same thing."""


class Access:
    """Finds out what is restricted, and remembers it for `limits.access_again`.

    A packument's verdict holds for the tarballs in the place that npm gives them, below its registry; a tarball's for
    the others in its folder.
    """

    def __init__(self, settings: UpstreamSettings, transport: Transport, limits: Limits) -> None:
        self._settings = settings
        self._transport = transport
        self._limits = limits
        self._verdicts: OrderedDict[str, tuple[float, bool]] = OrderedDict()

    def packument(self, name: str, url: URL, registry: URL) -> "Inquiry":
        """Return an inquiry about the packument of `name` at `url`."""
        return self._inquiry(name, url, registry, _are_packuments, str(url), f"{registry}{name}/-")

    def tarball(self, name: str, url: URL, registry: URL) -> "Inquiry":
        """Return an inquiry about the tarball at `url`; `name` may be "" when it is not known."""
        folder, _, file = str(url).rpartition("/")
        # An encoded slash may lead out of the folder.
        return self._inquiry(name, url, registry, _are_same_bytes, str(url) if "%" in file else folder)

    def recall(self, key: str) -> bool | None:
        """Return whether it is restricted, None when that is not remembered."""
        until, restricted = self._verdicts.get(key, (0.0, True))
        return restricted if asyncio.get_running_loop().time() < until else None

    def remember(self, key: str, restricted: bool) -> None:
        """Keep a verdict; the oldest is dropped when there are too many."""
        self._verdicts[key] = asyncio.get_running_loop().time() + self._limits.access_again, restricted
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > _KEPT:
            self._verdicts.popitem(last=False)

    async def ask(self, url: URL) -> Answer | None:
        """Return what anybody gets for a HEAD of `url`; None when that is an error, or late."""
        try:
            async with asyncio.timeout(self._limits.access):
                with closing(await self._transport.head(url)) as answer:
                    return answer
        except (LibreseedError, TimeoutError):
            return None

    def _inquiry(self, name: str, url: URL, registry: URL, comparison: Comparison, *keys: str) -> "Inquiry":
        settings = self._settings
        private = settings.is_private(name) and settings.identifies(registry, registry)
        # A query may hold a secret of its own: then an anonymous answer does not make the thing public.
        askable = settings.identifies(url, registry) and not private and not url.query_string
        return Inquiry(
            self,
            url=url,
            comparison=comparison,
            keys=keys,
            verdict=self.recall(keys[0]) if askable else True,
            private=private,
        )


class Inquiry:
    """One question, for one fetch. Enter it when the fetch begins; leaving it drops the question.

    `verdict` is whether what comes with credentials is restricted, None when the upstream is to be asked; `private`:
    whatever comes is restricted.
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
        """Tell whether what came as `answer` is restricted; known at the latest `limits.access` after the beginning."""
        if not answer.identified:
            return self._private
        if self._verdict is None:
            public = await self._head if self._head is not None else None
            self._verdict = public is None or not self._comparison(public, answer)
            for key in self._keys:
                self._access.remember(key, self._verdict)
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
    # A page to log in at is a 200 as well, but HTML.
    return "json" in public.headers.get("Content-Type", "").lower()


def _are_same_bytes(public: Answer, ours: Answer) -> bool:
    etag = ours.headers.get("ETag")
    same_etag = etag is not None and public.headers.get("ETag") == etag
    return same_etag or (ours.length is not None and public.length == ours.length)
