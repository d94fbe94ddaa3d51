"""What the commands that work on a project have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from libreseed.modules.project import Project, find_project

_F = TypeVar("_F", bound=Callable[..., Any])


def project_option(function: _F) -> _F:
    """Add `--root`, which `chosen_project` takes."""
    return click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The project; by default the nearest folder upwards with a package.json.",
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def chosen_project(root: Path | None) -> Project:
    """Return the project in `root`, or else the one that we are in."""
    return Project(root.resolve()) if root is not None else find_project(Path.cwd())
