"""Unpacked packages that projects share by hard links: `--link hard`, as pnpm does.

A package is unpacked once on a file system, and every project then gets links to the same files. That is several times
as fast as unpacking, and takes no further space; but what edits a file in place edits it for all of them. So it is not
the default, packages with install scripts never take part, and an entry with a file that was written to since is made
anew: later projects get what was checked.
"""

import os
import shutil
import tempfile
from pathlib import Path

from libreseed.modules.unpack import unpack


def link_package(shared: Path, tarball: Path, digest: bytes, target: Path) -> None:
    """Put a package into `target`, by links to its files in the folder `shared` where the system can. Blocks.

    Raises as `unpack` does.
    """
    name = digest.hex()
    entry = shared / name[:2] / name
    if _link(entry, target):
        return
    try:
        _make(entry, tarball, digest)
        linked = _link(entry, target)
    except OSError:  # a full or read-only cache is no reason to fail
        linked = False
    if not linked:
        unpack(tarball, digest, target)


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


def _link(entry: Path, target: Path) -> bool:
    """Link the files of an entry, unless it is not there, was written to, or is on another file system."""
    try:
        count = int((entry / "stamp").read_text())
        stamp = (entry / "stamp").stat().st_mtime_ns
        if _link_folder(f"{entry}/files", str(target), stamp) == count:
            return True
    except (OSError, ValueError):
        pass
    shutil.rmtree(target, ignore_errors=True)
    return False


def _link_folder(source: str, target: str, stamp: int) -> int:
    """Link what is in a folder and return how many files that was. Raises ValueError for one that is too new."""
    os.mkdir(target)  # noqa: PTH102 - hot path
    count = 0
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                count += _link_folder(entry.path, place, stamp)
                continue
            if entry.stat(follow_symlinks=False).st_mtime_ns > stamp:
                raise ValueError(entry.path)
            os.link(entry.path, place, follow_symlinks=False)
            count += 1
    return count
