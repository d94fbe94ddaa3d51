"""`libreseed run` and `exec`."""

from pathlib import Path

import click

from libreseed.cli.projects import chosen_project, project_option
from libreseed.errors import NotFoundError
from libreseed.modules.project import Project
from libreseed.modules.run import find_file, has_bin, read_scripts, run_bin, run_file, run_script
from libreseed.modules.toplevel import link_shims

_PASS_ALL = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("run", short_help="Run a script, file or command of a package.", context_settings=_PASS_ALL)
@click.argument("target", metavar="[SCRIPT|FILE|BIN]", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@project_option
def run_command(target: str | None, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a script of package.json, a file with Node or a command of a package; without any, list the scripts."""
    project = chosen_project(root)
    scripts = read_scripts(project)
    if target is None:
        for name, script in scripts.items():
            click.echo(f"{name}: {script}")
        return
    _repair(project)
    if target in scripts:
        run_script(project, target, arguments[1:] if arguments[:1] == ("--",) else arguments)
    file = find_file(target)
    if file is not None:
        run_file(project, file, arguments)
    if has_bin(project, target):
        run_bin(project, target, arguments)
    raise NotFoundError(
        f"There is neither a script {target!r} in package.json nor a file or a package's command of that name.",
        hint="See the scripts with: libreseed run",
    )


@click.command("exec", context_settings=_PASS_ALL)
@click.argument("command", metavar="BIN")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@project_option
def exec_command(command: str, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a command of an installed package."""
    project = chosen_project(root)
    _repair(project)
    run_bin(project, command, arguments)


def _repair(project: Project) -> None:
    """Make the link again that `npm install` prunes."""
    if project.register.is_file():
        link_shims(project)
