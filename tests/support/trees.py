"""Small package trees on disk, for Node.js to load from."""

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from libreseed.shims.render import render_package

OURS = ".libreseed_modules/node_modules"


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files, path -> text."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def package(folder: str, version: str = "1.0.0", main: str | None = None, **fields: Any) -> dict[str, str]:
    """Return the files of a package whose main file gives its name and version, or is `main`."""
    name = folder.rpartition("node_modules/")[2]
    return {
        f"{folder}/package.json": json.dumps({"name": name, "version": version, **fields}),
        f"{folder}/index.js": main or f"module.exports = '{name}@{version}';",
    }


def write_shims(root: Path) -> Path:
    """Write the npm package `libreseed` into a project, with the link that makes its name known, and return it."""
    write(root, {".libreseed_modules/package.json": '{"private": true}'})
    write(root, {f"{OURS}/libreseed/{path}": data.decode() for path, data in render_package("1.0.0").items()})
    (root / "node_modules").mkdir(exist_ok=True)
    (root / "node_modules/libreseed").symlink_to(f"../{OURS}/libreseed")
    return root / OURS / "libreseed"


def node_runner(cwd: Path, node: str = "node") -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Return a function that runs Node.js in `cwd`, with `env` added to an environment without Node's own variables,
    and `text` to read."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, text: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("NODE_", "LIBRESEED_"))}
        return subprocess.run(
            [node, *arguments],
            cwd=cwd,
            env=clean | dict(env or {}),
            input=text,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run


def contents(base: Path) -> dict[str, tuple[str, bytes | str | None]]:
    """Return every file, folder and link below `base` with its mode, and its hash or where it leads."""
    found: dict[str, tuple[str, bytes | str | None]] = {}
    for folder, folders, files in os.walk(base):
        for path in (Path(folder, name) for name in (*folders, *files)):
            mode = stat.filemode(path.lstat().st_mode)
            link = os.readlink(path) if path.is_symlink() else None
            digest = hashlib.sha256(path.read_bytes()).digest() if link is None and path.is_file() else None
            found[str(path.relative_to(base))] = (mode, link or digest)
    return found


def difference(ours: Path, npms: Path) -> set[str]:
    """Return what differs between a tree of ours and one of npm's, but for what each writes down for itself."""
    left = {
        path: kind
        for path, kind in contents(ours).items()
        if path.split("/")[0] not in (".libreseed.json", "libreseed")
    }
    right = contents(npms)
    del right[".package-lock.json"]
    return {path for path in left.keys() | right.keys() if left.get(path) != right.get(path)}
