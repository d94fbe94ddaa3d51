"""Links from `node_modules` into `.libreseed_modules`, for programs that do not use Node's module hooks; and the
dependency on `libreseed` in package.json, which lets them survive `npm install`.

A link is ours when it leads into `.libreseed_modules` of the same project or workspace; nothing else is ever replaced
or removed.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from libreseed.config import MODULES_DIR
from libreseed.errors import ConflictError, NotFoundError
from libreseed.modules.files import as_store_error, write_whole
from libreseed.modules.lock.lockfile import SHIMS_RANGE, read_project
from libreseed.modules.locking import locked
from libreseed.modules.project import Project
from libreseed.modules.tree.top_level import link_shims
from libreseed.modules.tree.tree import Tree
from libreseed.modules.workspaces import Workspace, named_workspaces

SHIMS = "libreseed"

_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


def initialise(project: Project, shims: Mapping[str, bytes]) -> bool:
    """Make `require('libreseed/register')` work, now and after `npm install`; return whether package.json changed.

    Blocks. Raises NotFoundError, InvalidInputError without a package.json, ConflictError, StoreError.
    """
    manifest = dict(project.read_manifest())
    declared = _declared(manifest)
    if declared not in (None, SHIMS_RANGE):
        raise ConflictError(
            f"package.json asks for another {SHIMS}: {declared!r}.",
            hint=f"Remove it with npm uninstall {SHIMS}, then try again.",
        )
    with locked(project), as_store_error():
        Tree(project.root, project.folder, (), {f"{SHIMS}/{path}": data for path, data in shims.items()}).refresh()
    link_shims(project)
    if declared is not None:
        return False
    dependencies = {**manifest.get("dependencies", {}), SHIMS: SHIMS_RANGE}
    manifest["dependencies"] = dict(sorted(dependencies.items()))
    _write_manifest(project, manifest)
    return True


def uninitialise(project: Project) -> bool:
    """Undo `initialise`, but keep what is installed in `.libreseed_modules`; return whether anything was undone.

    Blocks. Raises NotFoundError, InvalidInputError, StoreError.
    """
    manifest = dict(project.read_manifest())
    declared = _declared(manifest) == SHIMS_RANGE
    if declared:
        for field in _DEPENDENCIES:
            if SHIMS in manifest.get(field, {}):
                manifest[field] = {name: spec for name, spec in manifest[field].items() if name != SHIMS}
                if not manifest[field]:
                    del manifest[field]
        _write_manifest(project, manifest)
    return bool(_remove_links(Workspace(project, project), lambda name: name == SHIMS)) or declared


def link_packages(project: Project) -> tuple[list[str], list[str]]:
    """Link each direct dependency, workspace and `@types` package in `node_modules`, and the dependencies of workspaces
    in theirs; remove those of our links whose target is gone.

    Returns the names that are linked, and those that are not because `node_modules` has a package of that name; names
    in workspaces come after their folder. Blocks. Raises NotFoundError when nothing is installed, InvalidInputError,
    StoreError.
    """
    linked, kept = [], []
    for place in _places(project):
        here, left = _link_in(place)
        linked += [_shown(place, name) for name in here]
        kept += [_shown(place, name) for name in left]
    return linked, kept


def link_folder(project: Project) -> None:
    """Make `node_modules` itself a link to the tree, also in workspaces that have a tree of their own. Blocks.

    Raises ConflictError when one holds anything but our links, NotFoundError when nothing is installed, and
    InvalidInputError, StoreError.
    """
    places = _places(project)
    having = [place for place in places if place.home.tree.is_dir()]
    for place in having:
        _check_replaceable(place)
    for place in places:
        _remove_links(place, lambda _: True)
    for place in having:
        _link(place, place.home.root / "node_modules", place.home.tree)


def unlink(project: Project) -> list[str]:
    """Remove our links but for `libreseed`, and return their names; `node_modules` goes too if nothing else is in it.

    Blocks. Raises InvalidInputError, StoreError.
    """
    removed = []
    for place in _places(project, installed=False):
        modules = place.home.root / "node_modules"
        if _is_ours(place, modules):
            with as_store_error():
                modules.unlink()
            if place.home.register.is_file():
                link_shims(place.home)
            removed.append(_shown(place, "node_modules"))
        else:
            removed += [_shown(place, name) for name in _remove_links(place, lambda name: name != SHIMS)]
    return removed


def _places(project: Project, *, installed: bool = True) -> list[Workspace]:
    """Return the project and its workspaces. Raises NotFoundError when nothing is `installed` and something must be."""
    if installed and not project.tree.is_dir():
        raise NotFoundError(f"{project.root} has no {MODULES_DIR} yet.", hint="Make it with: libreseed install")
    places = [Workspace(project, project)]
    # Without workspaces no lock file is needed; another program's may be in a form that cannot be read.
    if project.lockfile.is_file() and project.manifest.is_file() and project.read_manifest().get("workspaces"):
        places += named_workspaces(project, read_project(project), ())
    return places


def _targets(place: Workspace) -> dict[str, Path]:
    """Return what is to be linked in a `node_modules`: name -> folder."""
    own = place.home == place.project
    manifest = place.home.read_manifest()
    direct = {name for field in _DEPENDENCIES for name in manifest.get(field, {})} - {SHIMS}
    targets = {}
    for tree in (place.project.tree, place.home.tree):
        for name in _names(tree) if tree.is_dir() else ():
            wanted = name in direct or (own and (name.startswith("@types/") or (tree / name).is_symlink()))
            if wanted and (tree / name / "package.json").is_file():
                targets[name] = tree / name
    return targets


def _link_in(place: Workspace) -> tuple[list[str], list[str]]:
    targets = _targets(place)
    modules = place.home.root / "node_modules"
    if _is_ours(place, modules):
        return sorted(targets), []
    _remove_links(place, lambda name: name not in targets and name != SHIMS)
    kept = [name for name in sorted(targets) if not _link(place, modules / name, targets[name])]
    return [name for name in sorted(targets) if name not in kept], kept


def _check_replaceable(place: Workspace) -> None:
    modules = place.home.root / "node_modules"
    if _is_ours(place, modules):
        return
    with as_store_error():
        names = _names(modules) if modules.exists() and not modules.is_symlink() else []
        foreign = next((name for name in names if not _is_ours(place, modules / name)), None)
    if modules.is_symlink() or foreign is not None:
        what = "leads elsewhere" if foreign is None else f"holds {foreign}, which is no link of ours"
        raise ConflictError(f"{modules} {what}.", hint="Remove it, or link each dependency: libreseed link")


def _shown(place: Workspace, name: str) -> str:
    return f"{place.folder}/{name}" if place.folder else name


def _declared(manifest: Mapping[str, object]) -> object:
    for field in _DEPENDENCIES:
        match manifest.get(field):
            case {"libreseed": spec}:
                return spec
    return None


def _write_manifest(project: Project, manifest: Mapping[str, object]) -> None:
    """Write package.json with its present indentation and final newline, as npm does."""
    with as_store_error():
        before = project.manifest.read_text()
        indent = re.match(r"\s*\{\s*?\n([ \t]+)", before)
        end = "\n" if before.endswith("\n") else ""
        text = json.dumps(manifest, indent=indent[1] if indent else 2, ensure_ascii=False) + end
        write_whole(project.manifest, text.encode())


def _link(place: Workspace, link: Path, target: Path) -> bool:
    """Make a link unless something else is there; return whether it is there now."""
    with as_store_error():
        if os.path.lexists(link) and not _is_ours(place, link):
            return False
        if not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(target, link.parent))
        return True


def _remove_links(place: Workspace, chosen: Callable[[str], bool]) -> list[str]:
    """Remove those of our links in `node_modules` that are `chosen`, and folders that are empty then."""
    modules = place.home.root / "node_modules"
    if modules.is_symlink() or not modules.is_dir():
        return []
    with as_store_error():
        removed = [name for name in _names(modules) if chosen(name) and _is_ours(place, modules / name)]
        for name in removed:
            (modules / name).unlink()
        for folder in (*{(modules / name).parent for name in removed if "/" in name}, modules):
            if not any(folder.iterdir()):
                folder.rmdir()
    return sorted(removed)


def _names(modules: Path) -> Iterator[str]:
    for entry in modules.iterdir():
        if not entry.name.startswith("@"):
            yield entry.name
        elif entry.is_dir() and not entry.is_symlink():
            yield from (f"{entry.name}/{child.name}" for child in entry.iterdir())


def _is_ours(place: Workspace, link: Path) -> bool:
    if not link.is_symlink():
        return False
    target = Path(os.path.normpath(link.parent / link.readlink()))
    return any(target.is_relative_to(each.folder) for each in (place.project, place.home))
