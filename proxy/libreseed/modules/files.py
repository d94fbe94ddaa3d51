"""Writing, linking and removing files that others may read at the same time."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libreseed.errors import StoreError


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace a file by a new one, with the permissions `mode` if given, so that readers see the old or the new
    content, never a part. Raises OSError."""
    staged = path.with_name(f".{path.name}.libreseed")
    staged.write_bytes(data)
    if mode is not None:
        staged.chmod(mode)
    staged.replace(path)


def write_if_other(path: Path, data: bytes) -> None:
    """Write a file, and its folder, unless it has this content. Raises OSError."""
    try:
        if path.read_bytes() == data:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)


def link_files(source: Path, target: Path) -> None:
    """Take over a package's files, by hard links where the file system has them, but not what is in its own
    `node_modules`. Raises OSError."""

    def leave_nested(folder: str, names: list[str]) -> list[str]:
        return ["node_modules"] if folder == str(source) and "node_modules" in names else []

    shutil.copytree(source, target, symlinks=True, ignore=leave_nested, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove whatever is there; a link, not what it leads to. Raises OSError."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


@contextmanager
def as_store_error() -> Iterator[None]:
    """Raise StoreError when the disk refuses what the body does."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The disk refused: {error}.", hint="Check free space and permissions of .libreseed_modules."
        ) from error
