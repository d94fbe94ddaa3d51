"""Reads package-lock.json (lockfileVersion 2 and 3) into the packages that are to be installed.

Source: npm's documentation of package-lock.json.
"""

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.modules.lock.entry import Dependencies, Entry, LockedPackage, is_inside, read_entry
from libreseed.modules.project import Project

MAX_BYTES = 64 * 2**20
MAX_PACKAGES = 100_000
SHIMS_LOCATION = "node_modules/libreseed"
"""The location of the shims, which LibreSeed renders itself, whatever the lock file has there."""

_SHIMS_FOLDER = ".libreseed_modules/node_modules/libreseed"
SHIMS_RANGE = f"file:{_SHIMS_FOLDER}"
"""The range of the dependency on the shims in package.json."""

_NO_DEPENDENCIES = Dependencies({}, {})
_ASKED_FOR = (
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
)


@dataclass(frozen=True, slots=True)
class Lockfile:
    """`packages` by location, with links and the folders that they lead to; `root` are the project's own dependencies;
    `asked` are the fields of package.json that npm copied, for the project ("") and each folder; `digest` is the
    SHA-256 of the file."""

    root: Dependencies
    packages: Mapping[str, LockedPackage]
    asked: Mapping[str, Mapping[str, Any]]
    digest: bytes

    def dependencies(self, location: str) -> Dependencies:
        """Return the dependencies of the package at a location, "" for the project. A link has none of its own."""
        if not location:
            return self.root
        package = self.packages[location]
        return package.dependencies if package.kind != "link" else _NO_DEPENDENCIES

    def find(self, source: str, name: str) -> str | None:
        """Return the location that Node resolves `name` to from the package at `source`, or None: the nearest
        `node_modules` upwards that has it."""
        folder = source
        while True:
            candidate = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
            if candidate in self.packages:
                return candidate
            if not folder:
                return None
            if "node_modules/" in folder:
                folder = folder.rpartition("node_modules/")[0].rstrip("/")
            else:
                folder = folder.rpartition("/")[0]

    def missing(self) -> str | None:
        """Return a sentence about a dependency that no package in the lock file satisfies, or None."""
        for source in ("", *(place for place, package in self.packages.items() if package.kind != "folder")):
            for name, range_ in self.dependencies(source).required.items():
                found = self.find(source, name) is not None or range_ == SHIMS_RANGE
                if not found and (not source or not self.packages[source].optional):
                    return f"package-lock.json lacks {name}@{range_}, which {source or 'the project'} needs."
        return None


def asked_for(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a package.json that npm copies into a lock file's entry of the project, as it does."""
    asked = {key: manifest[key] for key in _ASKED_FOR if isinstance(manifest.get(key), dict) and manifest[key]}
    optional = asked.get("optionalDependencies", {})
    if "dependencies" in asked:
        asked["dependencies"] = {name: value for name, value in asked["dependencies"].items() if name not in optional}
    return {key: value for key, value in asked.items() if value}


def read_project(project: Project) -> Lockfile:
    """Return the project's lock file. Raises NotFoundError, InvalidInputError."""
    try:
        return read_lockfile(project.lockfile.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no package-lock.json in {project.root}.", hint="Make it with: libreseed install"
        ) from None


def read_lockfile(text: bytes) -> Lockfile:
    """Parse and check a whole lock file.

    Raises InvalidInputError: not a lock file of version 2 or 3, a folder outside of the project, a link that leads
    outside and that package.json does not ask for, or a package without sha512.
    """
    if len(text) > MAX_BYTES:
        raise InvalidInputError(f"package-lock.json is larger than {MAX_BYTES // 2**20} MiB.")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"package-lock.json is not JSON: {error}.") from None
    entries = document.get("packages") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise InvalidInputError(
            "package-lock.json is not of lockfileVersion 2 or 3.", hint="Bring it up to date with npm 7 or later."
        )
    if len(entries) > MAX_PACKAGES:
        raise InvalidInputError(f"package-lock.json lists more than {MAX_PACKAGES} packages.")
    root = Entry("", entries.get("", {}))
    ours = {"", SHIMS_LOCATION, _SHIMS_FOLDER}
    packages = {
        location: read_entry(Entry(location, entry)) for location, entry in entries.items() if location not in ours
    }
    dependencies = root.dependencies(dev=True)
    _check_folders(packages, dependencies)
    folders = ["", *(location for location, package in packages.items() if package.kind == "folder")]
    asked = {folder: asked_for(entries.get(folder, {})) for folder in folders}
    return Lockfile(dependencies, packages, asked, hashlib.sha256(text).digest())


def _check_folders(packages: Mapping[str, LockedPackage], root: Dependencies) -> None:
    """Raise InvalidInputError for a link or folder outside of this project that package.json does not ask for."""
    named = {
        posixpath.normpath(range_.partition(":")[2] or range_)
        for range_ in (*root.required.values(), *root.optional.values())
        if range_.startswith(("file:", "link:", "../"))
    }
    for package in packages.values():
        place = package.origin if package.kind == "link" else package.location if package.kind == "folder" else None
        if place is not None and not is_inside(place) and posixpath.normpath(place) not in named:
            raise InvalidInputError(
                f"package-lock.json: {package.location[:120]} leads to {place[:120]!r}, outside of the project.",
                hint="Only a folder that package.json itself asks for, by file:, may be elsewhere.",
            )
        above = package.location.rpartition("/node_modules/")[0]
        if above in packages and packages[above].kind == "link":
            raise InvalidInputError(f"package-lock.json: {package.location[:120]} lies behind a link.")
        if package.kind == "link" and package.origin not in packages and package.origin != ".":
            raise InvalidInputError(f"package-lock.json: {package.location[:120]} links to a folder that it lacks.")
