"""The option `--root` of commands that work on a project."""

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
    """Return the project in `root`; without it that of the current folder, which may be in one of its workspaces."""
    return chosen_workspace(root).project


def chosen_workspace(root: Path | None) -> Workspace:
    """Return the project in `root`; without it the workspace of the current folder, or else its project."""
    if root is None:
        return find_workspace(Path.cwd())
    project = Project(root.resolve())
    return Workspace(project, project)
