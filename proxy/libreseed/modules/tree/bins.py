"""The commands of packages: executable files, and the links to them in `.bin`.

Source: npm's `bin-links`, and package.json's `bin` in npm's documentation.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from libreseed.errors import InvalidInputError
from libreseed.modules.files import write_whole
from libreseed.modules.lock.entry import LockedPackage

_COMMAND = re.compile(r"(?:@[^/\\\x00-\x1f]+/)?[^/\\\x00-\x1f]+")
_WINDOWS_HASHBANG = re.compile(rb"(#![^\n]+)\r\n")
_HASHBANG_LIMIT = 2048


def link_bins(
    base: Path, packages: Iterable[LockedPackage], linked: Callable[[LockedPackage], Path | None] = lambda _: None
) -> None:
    """Make every package's commands executable and link them from the `.bin` beside the package. Blocks.

    `base` holds the top `node_modules`; `linked` tells which folder a package is a link to, if it is one. Of two
    packages with the same command in one folder, the first by location gets it. A command whose file is missing is
    skipped, as by npm. Raises InvalidInputError when a command's name or file points outside of its folder or
    package.
    """
    for package in sorted((package for package in packages if package.bin), key=lambda package: package.inner):
        folder = base / package.inner
        modules = base / f"{package.inner.rpartition('node_modules/')[0]}node_modules"
        for command, file in check_bins(package).items():
            target = (linked(package) or folder) / file
            if target.is_symlink() or not target.is_file():
                continue
            _make_executable(target)
            link = modules / ".bin" / command
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(folder / file, link.parent))


def check_bins(package: LockedPackage) -> Mapping[str, str]:
    """Return the package's commands with each file as a plain relative path. Raises InvalidInputError."""
    return {_check_command(package, command): _check_file(package, file) for command, file in package.bin.items()}


def _check_command(package: LockedPackage, command: str) -> str:
    if not _COMMAND.fullmatch(command) or {"", ".", ".."} & set(command.split("/")):
        raise InvalidInputError(f"{package.label} has a command with the name {command[:80]!r}.")
    return command


def _check_file(package: LockedPackage, file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file:
        raise InvalidInputError(f"{package.label} has a command outside of its folder: {file[:80]!r}.")
    return str(path)


def _make_executable(file: Path) -> None:
    mode = file.stat().st_mode & 0o777
    with file.open("rb") as stream:
        start = stream.read(_HASHBANG_LIMIT)
    if _WINDOWS_HASHBANG.match(start):
        # Written as a new file, since the old one may be a hard link that other trees share.
        write_whole(file, _WINDOWS_HASHBANG.sub(rb"\1\n", file.read_bytes(), count=1), mode=mode)
    if mode & 0o111 != 0o111:
        file.chmod(mode | 0o111)
