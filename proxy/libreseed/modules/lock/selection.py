"""Selects the packages of a lock file that belong on this machine, and caches that for each lock file.

The selection depends on the bytes of the lock file, the Node on the PATH, and the kinds that the user omits. It is kept
in the user's cache folder, because parsing and checking a large lock file takes most of the time before an install can
begin.
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from libreseed import __version__
from libreseed.caching import drop_old, keep, recall
from libreseed.config import cache_dir
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.lock.lockfile import Lockfile
from libreseed.modules.lock.node_platform import Platform, detect_platform
from libreseed.modules.project import Project

KEPT_FOR = 30 * 86400.0
"""Seconds after which a cached selection expires."""

_FIELDS = ("location", "name", "version", "file", "kind", "origin", "bin", "optional", "has_install_script")
"""The fields of a package that are cached, besides its digest: those that an install needs after the selection."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected `packages`, links with the version and commands of the folder that they lead to. `left_out`: the
    number of optional packages for other systems than `platform`, which is None when no package is for certain systems.
    `asked` as in `Lockfile`.

    A package from the cache has only its digest and `_FIELDS`; the other fields have served the selection.
    """

    packages: Sequence[LockedPackage]
    left_out: int
    platform: Platform | None
    asked: Mapping[str, Mapping[str, Any]]


async def select(lockfile: Lockfile, omit: Collection[str]) -> Selection:
    """Select the packages for this machine, and cache the selection unless the lock file lacks a package. `omit` are
    the kinds to leave out: "dev", "optional", "peer".

    Raises InvalidInputError: a package for another system that is not optional. Raises UnavailableError: Node does not
    say which system this is.
    """
    from libreseed.modules.lock.platforms import omitted, unsuitable  # not needed for a cached selection

    unwanted = omitted(lockfile, omit)
    wanted = {place: package for place, package in lockfile.packages.items() if place not in unwanted}
    choosy = any(each.os or each.cpu or each.libc or (each.optional and each.node) for each in wanted.values())
    platform = await _platform() if choosy else None
    left_out = unsuitable(replace(lockfile, packages=wanted), platform) if platform is not None else set()
    packages = [
        _with_its_folder(package, wanted)
        for location, package in wanted.items()
        if location not in left_out and package.kind != "folder"
    ]
    selection = Selection(packages, len(left_out), platform, lockfile.asked)
    if lockfile.missing() is None:
        await asyncio.to_thread(_keep, lockfile.digest, omit, selection)
    return selection


async def cached_selection(project: Project, omit: Collection[str]) -> Selection | None:
    """Return the cached selection of the project's lock file as it is now, None without one. Such a lock file lacks no
    package.

    Raises UnavailableError as `select`.
    """
    selection = await asyncio.to_thread(_read_cached, project, omit)
    return selection if selection is None or selection.platform in (None, await _platform()) else None


async def _platform() -> Platform:
    return await detect_platform(cache_dir() / "node.json")


def _with_its_folder(package: LockedPackage, packages: Mapping[str, LockedPackage]) -> LockedPackage:
    """Return a link with the version and commands of the folder that it leads to."""
    folder = packages.get(package.origin) if package.kind == "link" else None
    return package if folder is None else replace(package, version=folder.version, bin=folder.bin)


def _place(digest: bytes) -> Path:
    return cache_dir() / "selections" / f"{digest.hex()}.json"


def _key(omit: Collection[str]) -> tuple[str, ...]:
    return (__version__, *sorted(omit))


def _keep(digest: bytes, omit: Collection[str], selection: Selection) -> None:
    rows = [
        [package.digest and package.digest.hex(), *(getattr(package, field) for field in _FIELDS)]
        for package in selection.packages
    ]
    platform = selection.platform and asdict(selection.platform)
    place = _place(digest)
    keep(place, _key(omit), [rows, selection.left_out, platform, selection.asked])
    drop_old(place.parent, KEPT_FOR)


def _read_cached(project: Project, omit: Collection[str]) -> Selection | None:
    try:
        digest = hashlib.sha256(project.lockfile.read_bytes()).digest()
    except OSError:
        return None
    try:
        rows, left_out, platform, asked = recall(_place(digest), _key(omit))
        packages = [
            LockedPackage(digest=row[0] and bytes.fromhex(row[0]), **dict(zip(_FIELDS, row[1:], strict=True)))
            for row in rows
        ]
        return Selection(packages, left_out, platform and Platform(**platform), asked)
    except (TypeError, ValueError, LookupError):  # nothing is cached, or in another form
        return None
