"""Committed lock files: the projects that tests and benchmarks install, pinned to the last version.

The files name no registry: npm finds a tarball by its name and version, and LibreSeed does as well. `npm install
--package-lock-only --omit-lockfile-registry-resolved` in a project's folder pins it anew. An optional package that has
gone from the registry npm leaves out of a lock file that its own `npm ci` then refuses: so take no version of a package
that names such a one, as Vite 8.4.0 does.
"""

import json
import re
from pathlib import Path
from typing import Any

LOCKS = Path(__file__).parent / "locks"
NPM = "package-lock.json"
_MODULES = "node_modules/"
_IN_BUNS = re.compile(r'(: \["(@?[^@"]+)@([^"]+)", )""')
"""A package in bun's lock file, up to its URL."""


def manifest(project: str) -> dict[str, Any]:
    """Return the package.json of a project."""
    read: dict[str, Any] = json.loads((LOCKS / project / "package.json").read_text())
    return read


def lock_file(project: str, file: str = NPM, registry: str = "") -> str:
    """Return a lock file of a project. With a `registry`, npm's and bun's name it as the home of all tarballs, as they
    do when they write one: npm asks for no packument then."""
    text = (LOCKS / project / file).read_text()
    if not registry:
        return text
    if file != NPM:
        return _IN_BUNS.sub(lambda found: f'{found[1]}"{registry}{tarball_path(found[2], found[3])}"', text)
    lock = json.loads(text)
    for location, entry in lock["packages"].items():
        if location and not entry.get("link") and not entry.get("inBundle"):
            entry["resolved"] = registry + tarball_path(name_of(location, entry), entry["version"])
    return json.dumps(lock, indent=2) + "\n"


def name_of(location: str, entry: dict[str, Any]) -> str:
    """Return the name of the package at a location of npm's lock file."""
    return str(entry.get("name") or location.rpartition(_MODULES)[2])


def tarball_path(name: str, version: str) -> str:
    """Return the path of a tarball on a registry."""
    return f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def tarballs(project: str) -> dict[str, str]:
    """Return the paths of all tarballs in npm's lock file of a project, with their integrity."""
    packages = json.loads(lock_file(project))["packages"]
    return {
        tarball_path(name_of(location, entry), entry["version"]): entry["integrity"]
        for location, entry in packages.items()
        if "integrity" in entry
    }


def pins(project: str) -> dict[str, str]:
    """Return the versions of the packages that npm's lock file of a project has in one version only."""
    versions: dict[str, set[str]] = {}
    for location, entry in json.loads(lock_file(project))["packages"].items():
        if location:
            versions.setdefault(name_of(location, entry), set()).add(entry["version"])
    return {name: found.pop() for name, found in versions.items() if len(found) == 1}
