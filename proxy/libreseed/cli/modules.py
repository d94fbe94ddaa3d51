"""`libreseed run` and `exec`."""

from collections.abc import Sequence
from pathlib import Path

import click

from libreseed.cli.projects import chosen_workspace, project_option
from libreseed.errors import NotFoundError
from libreseed.modules.lock.lockfile import read_project
from libreseed.modules.project import Project
from libreseed.modules.run import (
    find_file,
    has_bin,
    read_scripts,
    run_bin,
    run_file,
    run_script,
    run_script_in_each,
)
from libreseed.modules.tree.top_level import link_shims
from libreseed.modules.workspaces import Workspace, named_workspaces

_PASS_ALL = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("run", short_help="Run a script, file or command of a package.", context_settings=_PASS_ALL)
@click.argument("target", metavar="[SCRIPT|FILE|BIN]", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("-w", "--workspace", "names", multiple=True, metavar="NAME", help="Of this workspace; may be repeated.")
@click.option("--workspaces", "everywhere", is_flag=True, help="Of every workspace.")
@click.option("--if-present", is_flag=True, help="Succeed where there is no such script.")
@project_option
def run_command(
    target: str | None,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    everywhere: bool,
    if_present: bool,
    root: Path | None,
) -> None:
    """Run a script of package.json, a file with Node or a command of a package; without any, list the scripts.

    Options come before SCRIPT; what follows it is the script's own.
    """
    workspace = chosen_workspace(root)
    project = workspace.project
    chosen = named_workspaces(project, read_project(project), names) if names or everywhere else [workspace]
    if target is None:
        _list_scripts(chosen)
        return
    _restore_shims_link(project)
    having = [each for each in chosen if target in read_scripts(each.home)]
    words = arguments[1:] if arguments[:1] == ("--",) else arguments
    if names or everywhere:
        _run_in_each(chosen, having, target, words, if_present=if_present)
        return
    if having:
        run_script(workspace, target, words)
    if if_present:
        return
    file = find_file(target)
    if file is not None:
        run_file(workspace, file, arguments)
    if has_bin(workspace, target):
        run_bin(workspace, target, arguments)
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
    workspace = chosen_workspace(root)
    _restore_shims_link(workspace.project)
    run_bin(workspace, command, arguments)


def _list_scripts(workspaces: Sequence[Workspace]) -> None:
    for workspace in workspaces:
        if len(workspaces) > 1:
            click.echo(f"{workspace.folder}:")
        for name, script in read_scripts(workspace.home).items():
            click.echo(f"{'  ' if len(workspaces) > 1 else ''}{name}: {script}")


def _run_in_each(
    chosen: Sequence[Workspace],
    having: Sequence[Workspace],
    script: str,
    arguments: Sequence[str],
    *,
    if_present: bool,
) -> None:
    lacking = [each.folder for each in chosen if each not in having]
    if lacking and not if_present:
        raise NotFoundError(f"There is no script {script!r} in {', '.join(lacking)}.", hint="Pass over: --if-present")
    failed = run_script_in_each(having, script, arguments)
    if failed:
        click.echo(f"The script {script!r} failed in {', '.join(each.folder for each in failed)}.", err=True)
        raise SystemExit(1)


def _restore_shims_link(project: Project) -> None:
    """Link `node_modules/libreseed` again, since `npm install` prunes it."""
    if project.register.is_file():
        link_shims(project)
