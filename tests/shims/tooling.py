"""Copies of what tools installed."""

import os
import shutil
from pathlib import Path


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, by hard links where the file system allows."""
    shutil.copytree(source, target, symlinks=True, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
