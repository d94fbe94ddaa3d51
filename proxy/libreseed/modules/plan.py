"""What an install is to bring about: the packages of a lock file that belong on this machine, tree by tree."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from libreseed.config import MODULES_DIR, cache_dir
from libreseed.errors import InvalidInputError
from libreseed.modules.lockentry import LockedPackage
from libreseed.modules.lockfile import Lockfile, asked_for
from libreseed.modules.nodeplatform import detect_platform
from libreseed.modules.platforms import omitted, unsuitable
from libreseed.modules.project import Project
from libreseed.modules.tree import Tree


@dataclass(frozen=True, slots=True)
class Plan:
    """`trees`: the project's own first, then those of its workspaces that have packages of their own. `left_out` is
    how many optional packages are for other systems."""

    trees: list[Tree]
    left_out: int

    @property
    def packages(self) -> list[LockedPackage]:
        return [package for tree in self.trees for package in tree.packages]


async def make_plan(project: Project, lockfile: Lockfile, omit: Collection[str], shims: Mapping[str, bytes]) -> Plan:
    """Decide what goes where. `omit` are the kinds to leave out: "dev", "optional", "peer".

    Raises InvalidInputError: a package for another system that is not optional, or one that would be put outside of
    the project. Raises UnavailableError: Node does not say which system this is.
    """
    unwanted = omitted(lockfile, omit)
    wanted = Lockfile(
        lockfile.root,
        {place: package for place, package in lockfile.packages.items() if place not in unwanted},
        lockfile.asked,
    )
    choosy = any(each.os or each.cpu or each.libc or (each.optional and each.node) for each in wanted.packages.values())
    left_out = unsuitable(wanted, await detect_platform(cache_dir() / "node.json")) if choosy else set()
    trees: dict[str, list[LockedPackage]] = {"": []}
    for location, package in wanted.packages.items():
        if location not in left_out and package.kind != "folder":
            trees.setdefault(package.base, []).append(_with_its_folder(package, wanted))
    for base in trees:
        _check_inside(project, base)
    files = {f"libreseed/{path}": data for path, data in shims.items()}
    return Plan(
        [
            Tree(project.root, project.root / base / MODULES_DIR, packages, {} if base else files)
            for base, packages in sorted(trees.items())
        ],
        len(left_out),
    )


def out_of_step(project: Project, lockfile: Lockfile) -> str | None:
    """Return a sentence about what package.json, or a workspace's, asks for other than the lock file, or None."""
    for folder, locked in lockfile.asked.items():
        home = Project(project.root / folder)
        asked = asked_for(home.read_manifest())
        if asked != locked:
            both = (asked, locked)
            kinds = sorted(kind for kind in {*asked, *locked} if asked.get(kind) != locked.get(kind))
            tables = [[each.get(kind, {}) for each in both] for kind in kinds]
            names = sorted({name for old, new in tables for name in {*old, *new} if old.get(name) != new.get(name)})
            return f"{home.manifest} and package-lock.json do not agree about {', '.join(map(str, names[:5]))}."
    return lockfile.missing()


def _with_its_folder(package: LockedPackage, lockfile: Lockfile) -> LockedPackage:
    """Give a link the version and commands of the folder that it leads to."""
    folder = lockfile.packages.get(package.origin) if package.kind == "link" else None
    return package if folder is None else replace(package, version=folder.version, bin=folder.bin)


def _check_inside(project: Project, base: str) -> None:
    root = project.root.resolve()
    folder = (root / base).resolve()
    if base and not (folder.is_dir() and folder.is_relative_to(root)):
        raise InvalidInputError(
            f"package-lock.json puts packages into {base!r}, which is no folder of this project.",
            hint="Is the workspace still there? Otherwise: libreseed install",
        )
