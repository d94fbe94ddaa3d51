"""Writes, links and removes files that other processes may read at the same time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libreseed.errors import StoreError


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace a file atomically, with the permissions `mode` if given: readers see the old or the new content, never a
    part. Raises OSError."""
    staged = path.with_name(f".{path.name}.libreseed")
    staged.write_bytes(data)
    if mode is not None:
        staged.chmod(mode)
    staged.replace(path)


def write_if_other(path: Path, data: bytes) -> None:
    """Write a file, and make its folder, unless it has this content already. Raises OSError."""
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def link_files(source: Path, target: Path) -> None:
    """Link a package's files into `target`, or copy them where hard links are not possible; its own `node_modules` is
    left out. Raises OSError."""

    def leave_nested(folder: str, names: list[str]) -> list[str]:
        return ["node_modules"] if folder == str(source) and "node_modules" in names else []

    shutil.copytree(source, target, symlinks=True, ignore=leave_nested, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a file, folder or symbolic link (not its target), if there is one. Raises OSError."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def as_store_error() -> Iterator[None]:
    """Turn an OSError of the body into a StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The disk refused: {error}.", hint="Check free space and permissions of .libreseed_modules."
        ) from error
