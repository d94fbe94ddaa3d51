"""One `.libreseed_modules/node_modules`: its state, the building of a new one, and the swap of both.

Until the swap programs see the old tree, after it the new one.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from libreseed.modules.files import link_files, remove, write_if_other, write_whole
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.tree.bins import link_bins
from libreseed.modules.tree.exchange import exchange
from libreseed.modules.tree.top_level import link_top_level
from libreseed.packages.integrity import format_integrity

BARRIER = b'{\n  "private": true\n}\n'
"""The package.json of `.libreseed_modules`, at which Node ends its upward search for a package scope."""

_RECORD = ".libreseed.json"
"""The file that records the installed packages; not `.package-lock.json`, which npm would take for its own."""
_HAS_BUNDLE = "hasBundle"
_BUILT = "built"


class Tree:
    """The tree in `folder`, a `.libreseed_modules`, of the packages of one `node_modules` of a lock file.

    `root` is the project's folder, which the targets of links are relative to; `files` are those of the shims, which
    are installed too. All methods block and raise OSError.
    """

    def __init__(
        self, root: Path, folder: Path, packages: Sequence[LockedPackage], files: Mapping[str, bytes] | None = None
    ) -> None:
        self._root = root
        self.folder = folder
        self._tree = folder / "node_modules"
        self._files = files or {}
        self.packages = sorted(packages, key=lambda package: package.inner.count("/node_modules/"))

    def leave_out(self, absent: Collection[str]) -> None:
        """Leave out the packages at these locations, and those nested in them."""
        if absent:
            inside = tuple(f"{location}/" for location in absent)
            self.packages = [
                each for each in self.packages if each.location not in absent and not each.location.startswith(inside)
            ]

    def is_current(self) -> bool:
        """Tell whether exactly these packages are installed, and their folders exist."""
        installed = self._installed()
        return (
            installed.keys() == {package.inner for package in self.packages}
            and all(_same(installed[package.inner], package) for package in self.packages)
            and all(self._is_there(package) for package in self.packages if package.kind != "bundled")
        )

    def reusable(self) -> set[str]:
        """Return the locations of installed packages that the new tree can reuse unchanged."""
        installed = self._installed()
        return {
            package.location
            for package in self.packages
            if package.kind in ("registry", "packed")  # a bundled one is part of another's tarball
            and _same(installed.get(package.inner), package)
            and not installed[package.inner].get(_HAS_BUNDLE)
            and self._is_there(package)
        }

    def unbuilt(self, packages: Iterable[LockedPackage]) -> list[LockedPackage]:
        """Return those of the packages whose install scripts have not run in this tree."""
        installed = self._installed()
        return [package for package in packages if not installed.get(package.inner, {}).get(_BUILT)]

    def note_built(self, packages: Iterable[LockedPackage]) -> None:
        """Record that the install scripts of these packages have run."""
        record = self._read_record()
        for package in packages:
            record["packages"][package.inner][_BUILT] = True
        write_whole(self._tree / _RECORD, _dump(record))

    def home(self, package: LockedPackage) -> Path:
        """Return the package's folder in the tree."""
        return self.folder / package.inner

    def build(self, staged: Path, fresh: Mapping[str, str], reused: Collection[str]) -> None:
        """Build the tree in the empty folder `staged`.

        `fresh`: location -> folder of an unpacked package; `reused`: the locations taken from the present tree.
        Raises InvalidInputError for a command that leads outside of its package.
        """
        modules = staged / "node_modules"
        bringing = set()
        parents: set[str] = set()
        for package in self.packages:
            if package.kind != "link" and package.location not in reused and package.location not in fresh:
                continue  # it comes in another's tarball
            target = f"{staged}/{package.inner}"
            parent = target.rpartition("/")[0]
            if parent not in parents:
                os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - hot path
                parents.add(parent)
            if os.path.lexists(target):
                remove(Path(target))  # a package bundled in another's tarball
            if package.kind == "link":
                # Relative to the link's final place, not to that in the staging folder.
                os.symlink(os.path.relpath(self._root / package.origin, self.home(package).parent), target)  # noqa: PTH211
            elif package.location in reused:
                link_files(self.home(package), Path(target))
            else:
                os.rename(fresh[package.location], target)  # noqa: PTH104 - hot path
                if os.path.isdir(f"{target}/node_modules"):  # noqa: PTH112 - hot path
                    bringing.add(package.location)
        modules.mkdir(exist_ok=True)
        link_bins(staged, self.packages, self._real_home)
        self._write_files(modules)
        (modules / _RECORD).write_bytes(_dump(self._record(bringing, reused)))

    def swap(self, staged: Path) -> None:
        """Exchange the present tree and the one that was built in `staged`."""
        write_if_other(self.folder / "package.json", BARRIER)
        exchange(staged / "node_modules", self._tree)
        link_top_level(self.folder)

    def refresh(self) -> None:
        """Restore our own files and links in a tree whose packages are current."""
        write_if_other(self.folder / "package.json", BARRIER)
        self._write_files(self._tree)
        link_top_level(self.folder)

    def _real_home(self, package: LockedPackage) -> Path | None:
        """Return the folder that a link leads to."""
        return self._root / package.origin if package.kind == "link" else None

    def _is_there(self, package: LockedPackage) -> bool:
        if package.kind == "link":
            return self.home(package).is_symlink()
        return os.access(f"{self.folder}/{package.inner}/package.json", os.F_OK)

    def _write_files(self, modules: Path) -> None:
        for path, data in self._files.items():
            write_if_other(modules / path, data)

    def _installed(self) -> Mapping[str, Any]:
        packages: Mapping[str, Any] = self._read_record()["packages"]
        return packages

    def _read_record(self) -> dict[str, Any]:
        """Return what the last install recorded: location -> version, integrity and so on."""
        try:
            record = orjson.loads((self._tree / _RECORD).read_bytes())
            if all(isinstance(entry, dict) for entry in record["packages"].values()):
                return dict(record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return {"packages": {}}

    def _record(self, bringing: Collection[str], reused: Collection[str]) -> dict[str, Any]:
        installed = self._installed()
        entries = {}
        for package in sorted(self.packages, key=lambda package: package.inner):
            if package.location in reused:
                entries[package.inner] = installed[package.inner]
            else:
                more = {_HAS_BUNDLE: True} if package.location in bringing else {}
                entries[package.inner] = _describe(package) | more
        return {"lockfileVersion": 3, "requires": True, "packages": entries}


def _describe(package: LockedPackage) -> dict[str, Any]:
    """Return npm's lock file entry, as far as the next install needs it."""
    entry: dict[str, Any] = {"version": package.version}
    if package.origin:
        entry["resolved"] = package.origin
    if package.digest is not None:
        entry["integrity"] = format_integrity(package.digest)
    if package.kind == "bundled":
        entry["inBundle"] = True
    if package.bin:
        entry["bin"] = dict(package.bin)
    return entry


def _same(entry: Any, package: LockedPackage) -> bool:
    if not isinstance(entry, dict):
        return False
    return {key: value for key, value in entry.items() if key not in (_HAS_BUNDLE, _BUILT)} == _describe(package)


def _dump(record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
