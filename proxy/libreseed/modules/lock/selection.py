"""Which packages of a lock file belong on this machine, worked out once for each lock file.

It follows from the bytes of the lock file, the Node that is here and what the user leaves out, so it is kept in the
user's cache folder: reading and checking a large lock file takes longer than all else before an install can begin.
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
"""Seconds after which a selection is worked out anew."""

_FIELDS = ("location", "name", "version", "file", "kind", "origin", "bin", "optional", "has_install_script")
"""What of a package, besides its digest, an install needs to know once it is clear that it belongs here."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`packages` that belong here, each link with the version and commands of the folder that it leads to; `left_out`
    is how many optional ones are for other systems than `platform`, None when none asks for a system; `asked` as in
    `Lockfile`.

    Of a package that was recalled only its digest and `_FIELDS` are known; the others say why it belongs here.
    """

    packages: Sequence[LockedPackage]
    left_out: int
    platform: Platform | None
    asked: Mapping[str, Mapping[str, Any]]


async def select(lockfile: Lockfile, omit: Collection[str]) -> Selection:
    """Decide what belongs here, and keep that unless the lock file lacks something. `omit` are the kinds to leave out:
    "dev", "optional", "peer".

    Raises InvalidInputError: a package for another system that is not optional. Raises UnavailableError: Node does not
    say which system this is.
    """
    from libreseed.modules.lock.platforms import omitted, unsuitable  # not needed for what is recalled

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


async def recall_selection(project: Project, omit: Collection[str]) -> Selection | None:
    """Return what was selected before from the project's lock file as it is now, which lacks nothing then; else None.

    Raises UnavailableError as `select`.
    """
    selection = await asyncio.to_thread(_recall, project, omit)
    return selection if selection is None or selection.platform in (None, await _platform()) else None


async def _platform() -> Platform:
    return await detect_platform(cache_dir() / "node.json")


def _with_its_folder(package: LockedPackage, packages: Mapping[str, LockedPackage]) -> LockedPackage:
    """Give a link the version and commands of the folder that it leads to."""
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


def _recall(project: Project, omit: Collection[str]) -> Selection | None:
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
    except (TypeError, ValueError, LookupError):  # nothing was kept, or nothing that can be read
        return None
