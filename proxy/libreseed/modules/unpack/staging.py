"""The staging folder, in which an install builds the new tree, on the same file system as the old one.

It is kept when an install is interrupted. A package gets its final name there once it is complete and the node allows
it, so that the next install can continue with it. After a restart of the machine nothing in it is used, since what was
written before may not have reached the disk.
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
    """The folder `.staging` of one project. All methods block and raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked = folder / "unpacked"
        self._parts = folder / "parts"
        self._trees = folder / "trees"

    def open(self) -> None:
        """Make the folder, or keep the packages in it that an interrupted install has unpacked."""
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
        """Remove the folder, in which the old tree is after a swap."""
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def tree(self, number: int) -> Path:
        """Return the folder to build the tree of that number in."""
        folder = self._trees / str(number)
        folder.mkdir()
        return folder

    def part(self, package: LockedPackage) -> str:
        """Return the path to unpack a package at; nothing exists there."""
        return f"{self._parts}/{_key(package)}"

    def finish(self, package: LockedPackage) -> None:
        """Give a package, complete and allowed, its final name: move it from `part` to `place`."""
        os.rename(self.part(package), self.place(package))  # noqa: PTH104 - hot path

    def drop_parts(self) -> None:
        """Remove packages that were not finished, ignoring errors."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def missing(self, packages: Iterable[LockedPackage]) -> list[LockedPackage]:
        """Return those of the packages that are not finished."""
        there = set(os.listdir(self._unpacked))  # noqa: PTH208 - hot path
        return [package for package in packages if _key(package) not in there]

    def place(self, package: LockedPackage) -> str:
        """Return the path of the finished package, whether it exists or not."""
        return f"{self._unpacked}/{_key(package)}"


def _key(package: LockedPackage) -> str:
    return _name(package.location, package.origin, package.digest or b"")


@cache  # asked for several times in an install
def _name(location: str, origin: str, digest: bytes) -> str:
    text = f"{location}\0{origin}\0".encode(errors="surrogateescape") + digest
    return hashlib.sha256(text).hexdigest()[:32]


def _boot_id() -> str:
    """Return Linux's id of this boot, "" on other systems."""
    return _BOOT_ID.read_text() if os.access(_BOOT_ID, os.R_OK) else ""
