"""The install scripts of the project itself: those of its package.json and of its workspaces.

Source: npm's documentation, "Life Cycle Operation Order", and what `npm ci` does.
"""

import sys
from collections.abc import Sequence

from libreseed.modules.project import Project
from libreseed.modules.run import call_script, read_scripts
from libreseed.modules.scripts.install_scripts import ScriptError
from libreseed.modules.workspaces import Workspace

_OF_A_FOLDER = ("preinstall", "prepare", "install", "postinstall")
"""The scripts that npm runs in folders that are linked as packages: each in all folders before the next one."""
_OF_THE_PROJECT = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")


def run_folder_scripts(project: Project, folders: Sequence[str], command: str, *, quiet: bool = False) -> None:
    """Run the install scripts of `folders`, workspaces and others that are linked as packages; blocks.

    `command`: "install" or "ci"; `quiet`: what they print goes to stderr. Raises ScriptError: one failed; NotFoundError
    and InvalidInputError: no package.json that can be read.
    """
    places = [Workspace(project, Project((project.root / folder).resolve())) for folder in sorted(folders)]
    for event in _OF_A_FOLDER:
        for place in places:
            _run(place, command, event, quiet=quiet)


def run_project_scripts(project: Project, command: str, *, quiet: bool = False) -> None:
    """Run the scripts of package.json that belong to an install of all dependencies. As `run_folder_scripts`."""
    for event in _OF_THE_PROJECT:
        _run(Workspace(project, project), command, event, quiet=quiet)


def _run(place: Workspace, command: str, event: str, *, quiet: bool) -> None:
    line = read_scripts(place.home).get(event)
    if line is None:
        return
    code = call_script(place, command, event, line, output=sys.stderr if quiet else None)
    if code:
        raise ScriptError(
            f"The script {event!r} of {place.home.manifest} ended with {code}.",
            hint="Everything is installed; to leave such scripts out: --ignore-scripts",
        )
