"""Selects the packages of a lock file that are left out on this machine, by npm's rules.

An optional package for another system is left out, together with the packages that require it and those that only it
requires. Source: npm's `npm-install-checks` and `@npmcli/arborist` (optional sets).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from libreseed.errors import InvalidInputError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.lock.lockfile import Lockfile
from libreseed.modules.lock.node_platform import Platform


def omitted(lockfile: Lockfile, kinds: Collection[str]) -> set[str]:
    """Return the locations to leave out when the user wants none of these kinds: "dev", "optional", "peer"."""
    if not kinds:
        return set()
    return {
        location
        for location, package in lockfile.packages.items()
        if (package.peer and "peer" in kinds)
        or (package.dev and "dev" in kinds)
        or (package.optional and "optional" in kinds)
        or (package.dev_optional and {"dev", "optional"} <= set(kinds))
    }


def unsuitable(lockfile: Lockfile, platform: Platform) -> set[str]:
    """Return the locations to leave out on this platform.

    Raises InvalidInputError when a package that is not optional is for another system.
    """
    graph = _Graph(lockfile)
    left_out: set[str] = set()
    for package in lockfile.packages.values():
        if package.location in left_out:
            continue
        if not package.optional:
            if not _suits_system(package, platform):
                raise InvalidInputError(
                    f"{package.name}@{package.version} is not for this system ({platform.os}, {platform.cpu}).",
                    hint="A package for some systems only belongs into optionalDependencies.",
                )
        elif not (_suits_system(package, platform) and _suits_node(package, platform)):
            left_out |= graph.optional_set(package.location, left_out)
    return left_out


def _suits_system(package: LockedPackage, platform: Platform) -> bool:
    if package.libc and not platform.libc:
        return False
    return all(
        _listed(value, allowed)
        for value, allowed in (
            (platform.os, package.os),
            (platform.cpu, package.cpu),
            (platform.libc, package.libc),
        )
    )


def _suits_node(package: LockedPackage, platform: Platform) -> bool:
    if not package.node:
        return True
    import nodesemver  # slow to import, and few packages need it

    try:
        return bool(nodesemver.satisfies(platform.node, package.node, loose=True, include_prerelease=True))
    except ValueError:
        return False


def _listed(value: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether a list such as `["linux"]` or `["!win32"]` allows the value; an empty or `any` list allows all."""
    if not allowed or allowed == ("any",):
        return True
    refused = {entry[1:] for entry in allowed if entry.startswith("!")}
    wanted = {entry for entry in allowed if not entry.startswith("!")}
    return value not in refused and (value in wanted or not wanted)


class _Edge(NamedTuple):
    source: str
    target: str
    optional: bool


class _Graph:
    """The graph of dependencies; a link depends on the folder that it leads to."""

    def __init__(self, lockfile: Lockfile) -> None:
        self.outgoing: dict[str, list[_Edge]] = defaultdict(list)
        self.incoming: dict[str, list[_Edge]] = defaultdict(list)
        for source in ("", *lockfile.packages):
            dependencies = lockfile.dependencies(source)
            for names, optional in ((dependencies.required, False), (dependencies.optional, True)):
                for name in names:
                    target = lockfile.find(source, name)
                    if target is not None:
                        self._add(_Edge(source, target, optional))
            if source and lockfile.packages[source].kind == "link":
                self._add(_Edge(source, lockfile.packages[source].origin, optional=False))

    def _add(self, edge: _Edge) -> None:
        self.outgoing[edge.source].append(edge)
        self.incoming[edge.target].append(edge)

    def optional_set(self, location: str, left_out: set[str]) -> set[str]:
        """Return the locations to leave out along with an optional package; those in `left_out` are so already."""
        failing = _closure({location}, lambda node: (e.source for e in self.incoming[node] if not e.optional))
        failing.discard("")
        going = _closure(set(failing), lambda node: (e.target for e in self.outgoing[node]))
        while kept := {
            node
            for node in going - failing
            if any(edge.source not in going and edge.source not in left_out for edge in self.incoming[node])
        }:
            going -= kept
        return going


def _closure(nodes: set[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    pending = list(nodes)
    while pending:
        for node in neighbours(pending.pop()):
            if node not in nodes:
                nodes.add(node)
                pending.append(node)
    return nodes
