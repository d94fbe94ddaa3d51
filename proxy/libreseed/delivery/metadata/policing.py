"""Applies the policy to packuments, and caches the results."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from libreseed.concurrency.single_flight import SingleFlight
from libreseed.errors import ForbiddenError, InvalidInputError
from libreseed.packages.filtering import Filtered, filtered
from libreseed.packages.listing import list_package
from libreseed.packages.names import version_of_tarball
from libreseed.packages.packument import best_version, file_at
from libreseed.packages.policy import Policy, Refusal

_LIMIT = 128 << 20
"""Bytes of filtered packuments that are cached."""
_NAMES = 10_000
"""Packages whose part of the policy is cached."""
_OVERHEAD = 300
"""Bytes that a version takes in memory beside the JSON, roughly."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A packument that the policy was applied to.

    `source` and `body` are its JSON before and after. `integrities` are those of all versions; `files` the versions by
    file names of the upstream's that do not follow npm's rule; `tags` the dist-tags before. `listing` is the search
    result for what is left, None when nothing is. `until`: when it expires, in seconds since the epoch. `revision`
    differs whenever the body does; b"" when nothing was removed.
    """

    name: str
    source: bytes
    body: bytes
    refused: dict[str, Refusal]
    integrities: dict[str, str]
    files: dict[str, str]
    tags: dict[str, Any]
    listing: dict[str, Any] | None
    until: float
    revision: bytes

    def check_any(self) -> None:
        """Raise ForbiddenError when no version is left."""
        if self.listing is None and self.refused:
            latest = self.tags.get("latest")
            version = latest if latest in self.refused else list(self.refused)[-1]
            sentence = self.refused[version].sentence(f"{self.name}@{version}")
            raise ForbiddenError(sentence if len(self.refused) == 1 else f"{sentence} So is every other version.")

    def check_wanted(self, wanted: str) -> None:
        """Raise ForbiddenError when the version that a version, dist-tag or range means is refused."""
        version = best_version(self.refused, self.tags, wanted)
        if version is not None:
            self.check_version(version)

    def check_version(self, version: str) -> None:
        """Raise ForbiddenError when a version is refused."""
        if version in self.refused:
            raise ForbiddenError(self.refused[version].sentence(f"{self.name}@{version}"))

    def version_of(self, file: str) -> str | None:
        """Return the version whose tarball has this file name, if there is one."""
        version = standard_version(self.name, file)
        return version if version in self.integrities else self.files.get(file)


class Policing:
    """Applies the policy. `now` gives seconds since the epoch; `about` the part of the policy that names a package."""

    def __init__(self, policy: Policy, now: Callable[[], float] = time.time) -> None:
        self.about = lru_cache(_NAMES)(policy.about)
        self.now = now
        self._kept: OrderedDict[str, Judged] = OrderedDict()
        self._size = 0
        self._working: SingleFlight[tuple[str, int], Judged] = SingleFlight()

    def concerns(self, name: str) -> bool:
        """Tell whether any rule may apply to versions of `name`."""
        return self.about(name).has_rules

    def blocks(self, name: str) -> bool:
        """Tell whether the whole package `name` is blocked."""
        return self.about(name).refuses_name(name) is not None

    def check_name(self, name: str) -> None:
        """Raise ForbiddenError when the whole package `name` is blocked."""
        refusal = self.about(name).refuses_name(name)
        if refusal is not None:
            raise ForbiddenError(refusal.sentence(name))

    def check_tarball(self, name: str, file: str) -> None:
        """Raise ForbiddenError when a tarball is refused by package name and the version in its file name alone.

        A file name that does not follow npm's rule tells no version, and is not refused here.
        """
        refusal = self.about(name).refuses_version(name, standard_version(name, file))
        if refusal is not None:
            raise ForbiddenError(refusal.sentence(f"{file} of {name}"))

    def passes(self, name: str, version: str, released: object) -> bool:
        """Tell whether version and release date alone show that the policy refuses nothing."""
        rules = self.about(name)
        return not rules.reads_manifest(name, version) and (
            rules.refuses(name, version=version, manifest={}, released=released, now=self.now()) is None
        )

    async def judge(self, name: str, source: bytes, *, own: bool) -> Judged:
        """Apply the policy to the packument whose JSON is `source`. `own`: published on this node."""
        kept = self._kept.get(name)
        if kept is not None and self.now() < kept.until and (kept.source is source or kept.source == source):
            self._kept.move_to_end(name)
            return kept
        return await self._working.run((name, id(source)), lambda: self._work(name, source, own))

    async def close(self) -> None:
        """Cancel running filters, and wait for their end."""
        await self._working.close()

    async def _work(self, name: str, source: bytes, own: bool) -> Judged:
        judged = await asyncio.to_thread(_judge, self.about(name), name, source, self.now(), own)
        self._keep(judged)
        return judged

    def _keep(self, judged: Judged) -> None:
        old = self._kept.pop(judged.name, None)
        self._size += _size(judged) - (_size(old) if old is not None else 0)
        self._kept[judged.name] = judged
        while self._size > _LIMIT and len(self._kept) > 1:
            self._size -= _size(self._kept.popitem(last=False)[1])


def standard_version(name: str, file: str) -> str:
    """Return the version in npm's file name of a tarball, "" for a file name that does not follow npm's rule."""
    try:
        return version_of_tarball(name, file)
    except InvalidInputError:
        return ""


def _judge(policy: Policy, name: str, source: bytes, now: float, own: bool) -> Judged:
    packument = orjson.loads(source)
    left: Filtered = filtered(packument, policy, now, own=own)
    listing = list_package(left.packument)
    integrities = {
        version: str(manifest["dist"].get("integrity", "")) for version, manifest in packument["versions"].items()
    }
    # Of several versions with the same file name the first counts, as in `manifest_of_tarball`.
    files = {file_at(manifest): version for version, manifest in reversed(packument["versions"].items())}
    body = orjson.dumps(left.packument) if left.refused else source
    return Judged(
        name=name,
        source=source,
        body=body,
        refused=left.refused,
        integrities=integrities,
        files={file: version for file, version in files.items() if standard_version(name, file) != version},
        tags=packument["dist-tags"],
        listing=listing.package if listing is not None else None,
        until=left.until,
        revision=hashlib.sha256(body).digest() if left.refused else b"",
    )


def _size(judged: Judged) -> int:
    return len(judged.body) + _OVERHEAD * len(judged.integrities)
