"""Workspaces: folders of a project that are packages of their own, with one lock file for all.

Source: npm's documentation of workspaces; the patterns are those of its `workspaces` field.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.modules.lock.lockfile import Lockfile
from libreseed.modules.project import Project, find_project

_BRACES = re.compile(r"\{([^{}]*)\}")
_MAX_PATTERNS = 1000


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace of `project` in the folder of `home`; the project itself when both are the same."""

    project: Project
    home: Project

    @property
    def folder(self) -> str:
        """The workspace's folder as seen from the project, such as `packages/a`; "" for the project itself."""
        folder = self.home.root.relative_to(self.project.root).as_posix()
        return "" if folder == "." else folder


def find_workspace(start: Path) -> Workspace:
    """Return the workspace that `start` is in: that of the nearest package.json upwards, in the project that has it as
    a workspace, else by itself. A package.json that cannot be read counts as one without workspaces."""
    home = find_project(start)
    for folder in home.root.parents:
        above = Project(folder)
        try:
            manifest = above.read_manifest()
        except (InvalidInputError, NotFoundError):
            continue
        if is_workspace(manifest, home.root.relative_to(folder).parts):
            return Workspace(above, home)
    return Workspace(home, home)


def is_workspace(manifest: Mapping[str, Any], folder: Sequence[str]) -> bool:
    """Tell whether the `workspaces` of a package.json have a folder, given by its path components.

    As with npm, a pattern after `!` excludes folders that others match, except those that a later pattern within it
    matches.
    """
    wanted: list[Sequence[str]] = []
    unwanted: list[Sequence[str]] = []
    for pattern in _patterns(manifest):
        parts = posixpath.normpath(pattern.lstrip("!").lstrip("/")).split("/")
        if pattern.startswith("!"):
            unwanted.append(parts)
        else:
            unwanted = [each for each in unwanted if not _matches(parts, each)]
            wanted.append(parts)
    return (
        "node_modules" not in folder
        and any(_matches(folder, each) for each in wanted)
        and not any(_matches(folder, each, dots=True) for each in unwanted)
    )


def named_workspaces(project: Project, lockfile: Lockfile, names: Sequence[str]) -> list[Workspace]:
    """Return the workspaces with these names, or in these folders of the project; without names all.

    Raises NotFoundError for a name that no workspace has, or without a package.json; InvalidInputError for a bad one.
    """
    manifest = project.read_manifest()
    folders = {
        package.inner.removeprefix("node_modules/"): package.origin
        for package in lockfile.packages.values()
        if package.kind == "link" and is_workspace(manifest, package.origin.split("/"))
    }
    chosen = []
    for name in names or folders:
        folder = folders.get(name, posixpath.normpath(name))
        if folder not in folders.values():
            known = ", ".join(sorted(folders)) or "none"
            raise NotFoundError(f"There is no workspace {name!r}.", hint=f"The lock file has: {known}")
        chosen.append(Workspace(project, Project(project.root / folder)))
    return chosen


def _patterns(manifest: Mapping[str, Any]) -> Iterator[str]:
    field = manifest.get("workspaces")
    patterns = field.get("packages") if isinstance(field, dict) else field
    for pattern in patterns[:_MAX_PATTERNS] if isinstance(patterns, list) else ():
        if isinstance(pattern, str):
            yield from _without_braces(pattern)


def _without_braces(pattern: str) -> Iterator[str]:
    """Yield `a/b` and `a/c` for `a/{b,c}`."""
    braces = _BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    for choice in braces[1].split(","):
        yield from _without_braces(pattern[: braces.start()] + choice + pattern[braces.end() :])


def _matches(folder: Sequence[str], pattern: Sequence[str], *, dots: bool = False) -> bool:
    """Tell whether a pattern matches a folder; its stars match names that begin with a dot only with `dots`."""
    if not pattern:
        return not folder
    first, *rest = pattern
    hidden = bool(folder) and folder[0].startswith(".") and not first.startswith(".") and not dots
    if first == "**":
        return _matches(folder, rest, dots=dots) or (
            bool(folder) and not hidden and _matches(folder[1:], pattern, dots=dots)
        )
    return bool(folder) and not hidden and fnmatchcase(folder[0], first) and _matches(folder[1:], rest, dots=dots)
