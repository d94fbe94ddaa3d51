"""Where an install builds: aside, on the file system of the tree, and kept when it is interrupted.

A package stands under its final name here once it is whole and the node lets us have it, so that the next install can
go on with it. After a restart of the machine nothing here is trusted: what was written then may never have reached the
disk.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from libreseed.modules.files import remove
from libreseed.modules.lock.entry import LockedPackage

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Staging:
    """The folder `.staging` of one project. Everything here blocks and raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked = folder / "unpacked"
        self._parts = folder / "parts"
        self._trees = folder / "trees"

    def open(self) -> None:
        """Make it ready, with the packages that an interrupted install has unpacked."""
        boot = _boot_id()
        note = self._folder / "boot"
        if not boot or not note.is_file() or note.read_text() != boot:
            self.clear()
        remove(self._parts)
        remove(self._trees)
        for folder in (self._unpacked, self._parts, self._trees):
            folder.mkdir(parents=True, exist_ok=True)
        note.write_text(boot)

    def clear(self) -> None:
        """Remove all of it, the tree before included."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def tree(self, number: int) -> Path:
        """Return a folder to build a tree in."""
        folder = self._trees / str(number)
        folder.mkdir()
        return folder

    def part(self, package: LockedPackage) -> str:
        """Return where the package may be unpacked; nothing is there."""
        return f"{self._parts}/{_key(package)}"

    def finish(self, package: LockedPackage) -> None:
        """What is at `part` is whole, and may be installed."""
        os.rename(self.part(package), self.place(package))  # noqa: PTH104 - hot path

    def drop_parts(self) -> None:
        """Remove what was not finished, as far as the disk lets us."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def missing(self, packages: Iterable[LockedPackage]) -> list[LockedPackage]:
        """Return those of the packages that are not there whole."""
        there = set(os.listdir(self._unpacked))  # noqa: PTH208 - hot path
        return [package for package in packages if _key(package) not in there]

    def place(self, package: LockedPackage) -> str:
        """Return where the whole package is, or would be."""
        return f"{self._unpacked}/{_key(package)}"


def _key(package: LockedPackage) -> str:
    return _name(package.location, package.origin, package.digest or b"")


@cache  # asked for several times in an install
def _name(location: str, origin: str, digest: bytes) -> str:
    text = f"{location}\0{origin}\0".encode(errors="surrogateescape") + digest
    return hashlib.sha256(text).hexdigest()[:32]


def _boot_id() -> str:
    """Return what differs after each start of the machine, or "" where nobody knows."""
    return _BOOT_ID.read_text() if os.access(_BOOT_ID, os.R_OK) else ""
