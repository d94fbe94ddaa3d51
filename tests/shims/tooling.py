"""The tools that the tests of this folder share, and copies of what they installed."""

import os
import shutil
from pathlib import Path

BUNDLERS = (
    "webpack@5",
    "@rspack/core@2",
    "rollup@4",
    "@rollup/plugin-node-resolve@16",
    "@rollup/plugin-commonjs@29",
    "rolldown@1",
    "esbuild@0.28",
    "vite@8",
)

LARGE_TREE = (
    "vite@8",
    "react@19",
    "react-dom@19",
    "@vitejs/plugin-react@6",
    "eslint@9",
    "jest@30",
    "webpack@5",
    "webpack-cli@6",
    "webpack-dev-server@5",
    "typescript@5",
)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, by hard links where the file system allows."""
    shutil.copytree(source, target, symlinks=True, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
