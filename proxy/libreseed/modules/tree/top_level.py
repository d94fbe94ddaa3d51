"""The links around a tree: `.libreseed_modules/<pkg>`, and `node_modules/libreseed` of the project."""

import os
from pathlib import Path

from libreseed.modules.files import as_store_error
from libreseed.modules.project import Project


def link_top_level(folder: Path) -> None:
    """Link `<pkg> -> node_modules/<pkg>` in `folder` for every package at the top of its tree, and remove such links
    whose package is gone. Blocks; raises OSError."""
    wanted: dict[str, str] = {}
    for name in os.listdir(folder / "node_modules"):  # noqa: PTH208 - hot path
        if name.startswith("@"):
            inner = os.listdir(folder / "node_modules" / name)  # noqa: PTH208
            wanted |= {f"{name}/{child}": f"../node_modules/{name}/{child}" for child in inner}
        elif not name.startswith("."):
            wanted[name] = f"node_modules/{name}"
    present = _present(folder)
    taken = {name for name, link in present if link is None or wanted.get(name) == link}
    for name, link in present:
        if link is not None and name not in taken:
            (folder / name).unlink()
    for name in {name.partition("/")[0] for name in wanted if "/" in name}:
        (folder / name).mkdir(exist_ok=True)
    for name, target in wanted.items():
        if name not in taken:  # a package may be named package.json
            os.symlink(target, f"{folder}/{name}")  # noqa: PTH211 - hot path
    for scope in folder.glob("@*"):
        if scope.is_dir() and not any(scope.iterdir()):
            scope.rmdir()


def _present(folder: Path) -> list[tuple[str, str | None]]:
    """Return the names in a folder and in its scopes, each with its target if it is a link, else None."""
    found: list[tuple[str, str | None]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("@") and entry.is_dir(follow_symlinks=False):
                found += [(f"{entry.name}/{name}", link) for name, link in _present(Path(entry.path))]
            else:
                found.append((entry.name, os.readlink(entry.path) if entry.is_symlink() else None))  # noqa: PTH115
    return found


def link_shims(project: Project) -> None:
    """Link `node_modules/libreseed` to the shims, so that a plain `node app.js` can `require('libreseed/register')`.

    A package of that name stays as it is. Raises StoreError.
    """
    with as_store_error():
        link = project.root / "node_modules" / "libreseed"
        if not os.path.lexists(link):
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(os.path.relpath(project.tree / "libreseed", link.parent))
