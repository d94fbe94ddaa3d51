"""Unpacked packages that projects share, as pnpm does: by clones where the file system has them, else by hard links.

A package is unpacked once on a file system, and every project then gets its files from there. That is several times as
fast as unpacking, and takes no further space. Clones are files of their own; but what edits a hard-linked file in place
edits it for all projects. So packages with install scripts never take part, and an entry with a file that was written
to since is made anew: later projects get what was checked. Entries that nobody has installed from for 30 days go.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from libreseed.modules.unpack import unpack

UNUSED = 30 * 86400.0
"""Seconds after which an entry is removed that nothing was installed from."""
PRUNED_EVERY = 86400.0

_FICLONE = 0x40049409
_Put = Callable[[str, str], None]
"""Makes a second file of the first one, at the second path."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The folder of the unpacked packages, and how files get from there into a project: "clone" or "link"."""

    folder: Path
    way: str


def open_shared(folder: Path, beside: Path) -> Shared | None:
    """Find out how files of `folder`, which is made, can be had in the folder `beside`. None: not at all. Blocks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.NamedTemporaryFile(dir=folder, prefix="try") as source,
            tempfile.TemporaryDirectory(dir=beside) as target,
        ):
            for way, put in _WAYS.items():
                with suppress(OSError):
                    put(source.name, f"{target}/{way}")
                    return Shared(folder, way)
    except OSError:  # a full or read-only cache is no reason to fail
        pass
    return None


def take_package(shared: Shared, tarball: Path, digest: bytes, target: Path) -> None:
    """Put a package into `target`, from its files in the shared folder where the system can. Blocks.

    Raises as `unpack` does.
    """
    name = digest.hex()
    entry = shared.folder / name[:2] / name
    put = _WAYS[shared.way]
    if _take(entry, target, put):
        return
    try:
        _make(entry, tarball, digest)
        taken = _take(entry, target, put)
    except OSError:
        taken = False
    if not taken:
        unpack(tarball, digest, target)


def prune(shared: Shared) -> int:
    """Remove the entries that were not used for long, once a day; return how many. Blocks."""
    mark = shared.folder / "pruned"
    now = time.time()
    removed = 0
    with suppress(OSError):
        if mark.exists() and now - mark.stat().st_mtime < PRUNED_EVERY:
            return 0
        mark.touch()
        for entry in shared.folder.glob("??/*"):
            if now - entry.stat().st_mtime > UNUSED:
                shutil.rmtree(entry, ignore_errors=True)
                removed += 1
    return removed


def _make(entry: Path, tarball: Path, digest: bytes) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=entry.parent))
    try:
        unpacked = unpack(tarball, digest, work / "files")
        # The file's own time is the last that is not too late, by the same clock as that of the others.
        (work / "stamp").write_text(str(unpacked.files))
        if entry.exists():
            entry.rename(work / "spoilt")
        work.joinpath("whole").mkdir()
        for part in ("files", "stamp"):
            (work / part).rename(work / "whole" / part)
        (work / "whole").rename(entry)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _take(entry: Path, target: Path, put: _Put) -> bool:
    """Take the files of an entry, unless it is not there, or was written to."""
    try:
        count = int((entry / "stamp").read_text())
        stamp = (entry / "stamp").stat().st_mtime_ns
        if _take_folder(f"{entry}/files", str(target), stamp, put) == count:
            os.utime(entry)  # it is in use
            return True
    except (OSError, ValueError):
        pass
    shutil.rmtree(target, ignore_errors=True)
    return False


def _take_folder(source: str, target: str, stamp: int, put: _Put) -> int:
    """Take what is in a folder and return how many files that was. Raises ValueError for one that is too new."""
    os.mkdir(target)  # noqa: PTH102 - hot path
    count = 0
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                count += _take_folder(entry.path, place, stamp, put)
                continue
            if entry.stat(follow_symlinks=False).st_mtime_ns > stamp:
                raise ValueError(entry.path)
            put(entry.path, place)
            count += 1
    return count


def _clone(source: str, target: str) -> None:
    """Make a file that shares the blocks of another until one of them changes (ioctl_ficlone(2))."""
    original = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = os.fstat(original).st_mode & 0o777
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            fcntl.ioctl(copy, _FICLONE, original)
            os.fchmod(copy, mode)
        finally:
            os.close(copy)
    finally:
        os.close(original)


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


_WAYS: dict[str, _Put] = {"clone": _clone, "link": _link}
