"""Queries of the lock file for `libreseed list`, `why` and `outdated`."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import nodesemver

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.modules.lock.entry import names_of
from libreseed.modules.lock.lockfile import Lockfile

MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list: its depth, the name and range of a dependency, the location that it resolves to (None:
    none) and its version. `seen`: the location was listed before, so that its dependencies are not listed again."""

    depth: int
    name: str
    range: str
    location: str | None
    version: str
    seen: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """A dependency on a package: the location of the package that has it ("": the project), and its range."""

    location: str
    range: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """A dependency with a newer version: the one in the lock file, the newest in the range, the one tagged latest."""

    name: str
    current: str
    wanted: str
    latest: str


def list_tree(lockfile: Lockfile, depth: int) -> Iterator[Listed]:
    """Yield the project's dependencies down to `depth`, those of each package once; then, as npm does, its workspaces
    with their dependencies."""
    seen: set[str] = set()
    depth = min(depth, MAX_DEPTH)
    yield from _list_below(lockfile, "", 0, depth, seen)
    asked = lockfile.dependencies("")
    for location, package in sorted(lockfile.packages.items()):
        name = names_of(location)[-1] if package.kind == "link" and package.origin in lockfile.packages else ""
        if name and name not in asked.required and name not in asked.optional:
            yield from _list_at(lockfile, Listed(0, name, "", location, "", seen=False), depth + 1, seen)


def _list_below(lockfile: Lockfile, source: str, depth: int, limit: int, seen: set[str]) -> Iterator[Listed]:
    dependencies = lockfile.dependencies(source)
    for name, range_ in sorted({**dependencies.optional, **dependencies.required}.items()):
        line = Listed(depth, name, range_, lockfile.find(source, name), "", seen=False)
        if line.location is not None:
            yield from _list_at(lockfile, line, limit, seen)
        elif name in dependencies.required:
            yield line


def _list_at(lockfile: Lockfile, line: Listed, limit: int, seen: set[str]) -> Iterator[Listed]:
    """Yield the line of an installed package, and those of its dependencies."""
    target = _real(lockfile, line.location or "")
    again = target in seen
    yield replace(line, version=lockfile.packages[target].version if target else "", seen=again)
    if line.depth < limit and not again:
        seen.add(target)
        yield from _list_below(lockfile, target, line.depth + 1, limit, seen)


def _real(lockfile: Lockfile, location: str) -> str:
    """Return the folder that a link leads to, or the location itself; "" for a link to the project."""
    package = lockfile.packages[location]
    if package.kind != "link":
        return location
    return package.origin if package.origin != "." else ""


def find_reasons(lockfile: Lockfile) -> dict[str, list[Reason]]:
    """Return the dependencies on each location; the folder of a link is one of the link."""
    reasons: dict[str, list[Reason]] = {location: [] for location in lockfile.packages}
    for source in ("", *lockfile.packages):
        dependencies = lockfile.dependencies(source)
        for name, range_ in {**dependencies.optional, **dependencies.required}.items():
            location = lockfile.find(source, name)
            if location is not None:
                reasons[location].append(Reason(source, range_))
        if source and lockfile.packages[source].kind == "link" and lockfile.packages[source].origin in reasons:
            reasons[lockfile.packages[source].origin].append(Reason(source, "link"))
    return reasons


def find_named(lockfile: Lockfile, name: str) -> list[str]:
    """Return the locations of a package, given by its folder's name, its name on the registry, or a location itself.

    Raises NotFoundError when there is none.
    """
    found = [
        location
        for location, package in lockfile.packages.items()
        if name in (location, package.name, location.rpartition("node_modules/")[2])
    ]
    if not found:
        raise NotFoundError(f"package-lock.json has no {name}.", hint="See what it has with: libreseed list --all")
    return found


async def find_outdated(
    lockfile: Lockfile, url: str, names: Sequence[str], headers: Mapping[str, str] | None = None
) -> list[Outdated]:
    """Return the project's direct dependencies, or those in `names`, of which the registry has newer versions.

    `headers` are sent with each request, such as `Authorization`.
    Raises UnavailableError, NotFoundError.
    """
    from libreseed.modules.fetch.client import RegistryClient  # its HTTP client is slow to import

    ranges = {**lockfile.root.optional, **lockfile.root.required}
    wanted = {}
    for name in names or ranges:
        location = lockfile.find("", name)
        if location is not None and lockfile.packages[location].kind == "registry":
            wanted[name] = lockfile.packages[location]
        elif names:
            raise NotFoundError(f"{name} is no dependency from the registry.", hint="See: libreseed list")
    async with RegistryClient(url, headers) as client:
        packuments = await asyncio.gather(*(client.packument(package.name) for package in wanted.values()))
    found = []
    for (name, package), packument in zip(wanted.items(), packuments, strict=True):
        range_ = ranges.get(name, "*")
        range_ = range_.rpartition("@")[2] if range_.startswith("npm:") else range_
        latest = str(packument.get("dist-tags", {}).get("latest", package.version))
        newest = newest_in(range_, packument, package.version)
        if {newest, latest} != {package.version}:
            found.append(Outdated(name, package.version, newest, latest))
    return sorted(found, key=lambda each: each.name)


def newest_in(range_: str, packument: dict[str, Any], current: str) -> str:
    """Return the newest version in a range, or the one that a tag of that name points to; else `current`."""
    tags, versions = packument.get("dist-tags", {}), packument.get("versions", {})
    if not isinstance(tags, dict) or not isinstance(versions, dict):
        raise InvalidInputError("The registry sent a packument without versions.")
    if range_ in tags:
        return str(tags[range_])
    fit = []
    for version in versions:
        try:
            if nodesemver.satisfies(version, range_, loose=True):
                fit.append(version)
        except ValueError:
            continue
    if tags.get("latest") in fit:
        return str(tags["latest"])
    return str(nodesemver.max_satisfying(fit, range_, loose=True)) if fit else current
