"""What the commands that work on a project have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from libreseed.modules.project import Project
from libreseed.modules.workspaces import Workspace, find_workspace

_F = TypeVar("_F", bound=Callable[..., Any])


def project_option(function: _F) -> _F:
    """Add `--root`, which `chosen_project` takes."""
    return click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The project; by default the nearest folder upwards with a package.json, or the one that has it as a "
        "workspace.",
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def chosen_project(root: Path | None) -> Project:
    """Return the project in `root`, or else the one that we are in, be it in a workspace of it."""
    return chosen_workspace(root).project


def chosen_workspace(root: Path | None) -> Workspace:
    """Return the workspace that we are in, or the project itself; with `root` always that."""
    if root is None:
        return find_workspace(Path.cwd())
    project = Project(root.resolve())
    return Workspace(project, project)
