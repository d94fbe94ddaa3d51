"""`.libreseed_modules` on disk: a new tree is built aside, of new and of unchanged packages, then swapped in whole.

Until the swap readers see the old tree, after it the new one; an interrupted build leaves only `.staging`, which
the next one clears away.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from libreseed.errors import ConflictError, StoreError
from libreseed.modules.bins import link_bins
from libreseed.modules.exchange import exchange
from libreseed.modules.files import write_whole
from libreseed.modules.lockfile import LockedPackage
from libreseed.modules.project import Project
from libreseed.packages.integrity import format_integrity

BARRIER = b'{\n  "private": true\n}\n'
"""package.json of `.libreseed_modules`: where Node stops to look for a package scope."""

_HIDDEN_LOCK = ".package-lock.json"
_HAS_BUNDLE = "hasBundle"


@dataclass(frozen=True, slots=True)
class Fresh:
    """A package that was unpacked into `folder`; `has_modules`: with packages of its own in it."""

    folder: Path
    has_modules: bool


class Tree:
    """The installed tree of one project; `shims` are the files of its package `libreseed`. Everything here blocks."""

    def __init__(self, project: Project, shims: Mapping[str, bytes]) -> None:
        self._project = project
        self._shims = shims
        self._staging = project.folder / ".staging"

    @contextmanager
    def locked(self) -> Iterator[Self]:
        """Keep other installs out. Raises ConflictError when another one is at work, StoreError."""
        with _as_store_error():
            self._project.folder.mkdir(exist_ok=True)
            lock = os.open(self._project.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError(
                    f"Another install is at work in {self._project.folder}.", hint="Wait until it is done."
                ) from None
            yield self
        finally:
            os.close(lock)

    def prepare(self) -> Path:
        """Return an empty folder on the tree's file system, to unpack into."""
        with _as_store_error():
            self.clear()
            self._staging.mkdir()
            return self._staging

    def clear(self) -> None:
        """Remove what a build has left: the tree before, or the parts of one that failed."""
        with _as_store_error():
            _remove(self._staging)

    def installed(self) -> Mapping[str, Any]:
        """Return what the last install recorded: location -> version, integrity and so on."""
        try:
            packages = orjson.loads((self._project.tree / _HIDDEN_LOCK).read_bytes())["packages"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return packages if isinstance(packages, dict) else {}

    def is_current(self, packages: Sequence[LockedPackage]) -> bool:
        """Tell whether exactly these packages are installed and there."""
        installed = self.installed()
        return (
            len(installed) == len(packages)
            and all(_same(installed.get(package.location), package) for package in packages)
            and all(self._is_there(package) for package in packages if not package.in_bundle)
        )

    def reusable(self, packages: Sequence[LockedPackage]) -> set[str]:
        """Return the locations of the installed packages that can be taken over as they are."""
        installed = self.installed()
        return {
            package.location
            for package in packages
            if not package.in_bundle  # it comes and goes with the tarball that it is in
            and _same(installed.get(package.location), package)
            and not installed[package.location].get(_HAS_BUNDLE)
            and self._is_there(package)
        }

    def _is_there(self, package: LockedPackage) -> bool:
        return (self._project.folder / package.location / "package.json").is_file()

    def replace(
        self,
        packages: Sequence[LockedPackage],
        fresh: Mapping[str, Fresh],
        reused: Collection[str],
    ) -> None:
        """Build the tree of `packages` and swap it in; call it inside `locked`.

        Each package that is not in another's tarball is in `fresh` or in `reused`.
        Raises StoreError, InvalidInputError.
        """
        with _as_store_error():
            modules = self._staging / "node_modules"
            modules.mkdir()
            for package in sorted(packages, key=lambda package: package.location.count("/node_modules/")):
                target = self._staging / package.location
                if package.location in reused:
                    _remove(target)
                    _link_files(self._project.folder / package.location, target)
                elif package.location in fresh:
                    _remove(target)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fresh[package.location].folder.rename(target)
            link_bins(self._staging, packages)
            self._write_shims(modules)
            self._record(packages, fresh, modules / _HIDDEN_LOCK)
            _write_if_other(self._project.folder / "package.json", BARRIER)
            exchange(modules, self._project.tree)
            self._link_top_level()

    def refresh(self) -> None:
        """Put the shims and the links of a tree right that is current otherwise. Raises StoreError."""
        with _as_store_error():
            _write_if_other(self._project.folder / "package.json", BARRIER)
            self._write_shims(self._project.tree)
            self._link_top_level()

    def _write_shims(self, modules: Path) -> None:
        for path, data in self._shims.items():
            _write_if_other(modules / "libreseed" / path, data)

    def _record(self, packages: Sequence[LockedPackage], fresh: Mapping[str, Fresh], path: Path) -> None:
        entries = {
            package.location: _describe(
                package, has_bundle=package.location in fresh and fresh[package.location].has_modules
            )
            for package in sorted(packages, key=lambda package: package.location)
        }
        document = {"lockfileVersion": 3, "requires": True, "packages": entries}
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def _link_top_level(self) -> None:
        """Make `.libreseed_modules/<pkg>` links for every package at the top, and remove those that lead nowhere."""
        folder = self._project.folder
        wanted: dict[str, str] = {}
        for entry in self._project.tree.iterdir():
            if entry.name.startswith("@"):
                wanted |= {
                    f"{entry.name}/{child.name}": f"../node_modules/{entry.name}/{child.name}"
                    for child in entry.iterdir()
                }
            elif not entry.name.startswith("."):
                wanted[entry.name] = f"node_modules/{entry.name}"
        present = [entry for entry in folder.iterdir() if entry.is_symlink()]
        present += [child for entry in folder.glob("@*") if entry.is_dir() for child in entry.iterdir()]
        for link in present:
            if link.is_symlink() and wanted.get(str(link.relative_to(folder))) != str(link.readlink()):
                link.unlink()
        for name, target in wanted.items():
            link = folder / name
            if not os.path.lexists(link):  # a package may be named package.json
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(target)
        for scope in folder.glob("@*"):
            if scope.is_dir() and not any(scope.iterdir()):
                scope.rmdir()


def link_shims(project: Project) -> None:
    """Make `node_modules/libreseed`, so that `require('libreseed/register')` works in a plain `node app.js`.

    A package of that name that is already there stays. Raises StoreError.
    """
    with _as_store_error():
        link = project.root / "node_modules" / "libreseed"
        if not os.path.lexists(link):
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(os.path.relpath(project.tree / "libreseed", link.parent))


def _describe(package: LockedPackage, *, has_bundle: bool) -> dict[str, Any]:
    """Return npm's lock file entry, as far as the next install needs it."""
    entry: dict[str, Any] = {"version": package.version}
    if package.digest is not None:
        entry["integrity"] = format_integrity(package.digest)
    if package.in_bundle:
        entry["inBundle"] = True
    if package.bin:
        entry["bin"] = dict(package.bin)
    if has_bundle:
        entry[_HAS_BUNDLE] = True
    return entry


def _same(entry: Any, package: LockedPackage) -> bool:
    if not isinstance(entry, dict):
        return False
    return {key: value for key, value in entry.items() if key != _HAS_BUNDLE} == _describe(package, has_bundle=False)


def _link_files(source: Path, target: Path) -> None:
    """Take over a package's files, by hard links where the file system has them; what is nested comes by itself."""

    def leave_nested(folder: str, names: list[str]) -> list[str]:
        return ["node_modules"] if folder == str(source) and "node_modules" in names else []

    shutil.copytree(source, target, symlinks=True, ignore=leave_nested, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _write_if_other(path: Path, data: bytes) -> None:
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The disk refused: {error}.", hint="Check free space and permissions of .libreseed_modules."
        ) from error
