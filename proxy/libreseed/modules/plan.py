"""The result that an install is to have: the packages for this machine, divided into trees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libreseed.config import MODULES_DIR
from libreseed.errors import InvalidInputError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.lock.lockfile import Lockfile, asked_for
from libreseed.modules.lock.selection import Selection
from libreseed.modules.project import Project
from libreseed.modules.tree.tree import Tree


@dataclass(frozen=True, slots=True)
class Plan:
    """`trees`: the project's own first, then those of workspaces with packages of their own. `left_out`: the number of
    optional packages for other systems."""

    trees: list[Tree]
    left_out: int

    @property
    def packages(self) -> list[LockedPackage]:
        return [package for tree in self.trees for package in tree.packages]


def make_plan(project: Project, selection: Selection, shims: Mapping[str, bytes]) -> Plan:
    """Divide the packages into trees. Raises InvalidInputError when one would be outside of the project."""
    trees: dict[str, list[LockedPackage]] = {"": []}
    for package in selection.packages:
        trees.setdefault(package.base, []).append(package)
    for base in trees:
        _check_inside(project, base)
    files = {f"libreseed/{path}": data for path, data in shims.items()}
    return Plan(
        [
            Tree(project.root, project.root / base / MODULES_DIR, packages, {} if base else files)
            for base, packages in sorted(trees.items())
        ],
        selection.left_out,
    )


def out_of_step(project: Project, lockfile: Lockfile) -> str | None:
    """Return a sentence about how the lock file differs from package.json or a workspace's, or about a package that it
    lacks; None when it is up to date."""
    return disagreement(project, lockfile.asked) or lockfile.missing()


def disagreement(project: Project, asked_before: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return a sentence about how package.json, or that of a folder, differs from `asked_before` (as
    `Lockfile.asked`); None when it does not."""
    for folder, locked in asked_before.items():
        home = Project(project.root / folder)
        asked = asked_for(home.read_manifest())
        if asked != locked:
            both = (asked, locked)
            kinds = sorted(kind for kind in {*asked, *locked} if asked.get(kind) != locked.get(kind))
            tables = [[each.get(kind, {}) for each in both] for kind in kinds]
            names = sorted({name for old, new in tables for name in {*old, *new} if old.get(name) != new.get(name)})
            return f"{home.manifest} and package-lock.json do not agree about {', '.join(map(str, names[:5]))}."
    return None


def _check_inside(project: Project, base: str) -> None:
    root = project.root.resolve()
    folder = (root / base).resolve()
    if base and not (folder.is_dir() and folder.is_relative_to(root)):
        raise InvalidInputError(
            f"package-lock.json puts packages into {base!r}, which is no folder of this project.",
            hint="Is the workspace still there? Otherwise: libreseed install",
        )
