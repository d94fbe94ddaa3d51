"""`libreseed run`, `exec` and `shims`."""

from pathlib import Path

import click

from libreseed import __version__
from libreseed.cli.projects import chosen_project, project_option
from libreseed.errors import NotFoundError
from libreseed.modules.project import Project
from libreseed.modules.run import find_file, read_scripts, run_bin, run_file, run_script
from libreseed.modules.toplevel import link_shims
from libreseed.shims.render import render_package

_PASS_ALL = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("run", short_help="Run a file or script with Node.", context_settings=_PASS_ALL)
@click.argument("target", metavar="[FILE|SCRIPT]", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@project_option
def run_command(target: str | None, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a script of package.json, or a file with Node; without either, list the scripts."""
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
    if file is None:
        raise NotFoundError(
            f"There is neither a script {target!r} in package.json nor a file of that name.",
            hint="See the scripts with: libreseed run",
        )
    run_file(project, file, arguments)


@click.command("exec", context_settings=_PASS_ALL)
@click.argument("command", metavar="BIN")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@project_option
def exec_command(command: str, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a command of an installed package."""
    project = chosen_project(root)
    _repair(project)
    run_bin(project, command, arguments)


@click.command("shims", short_help="Write the npm package `libreseed` to a folder.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def shims_command(folder: Path) -> None:
    """Write the npm package `libreseed`, which teaches Node about .libreseed_modules, into DIR."""
    files = render_package(__version__)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    click.echo(f"{len(files)} files in {folder}")


def _repair(project: Project) -> None:
    """Make the link again that `npm install` prunes."""
    if project.register.is_file():
        link_shims(project)
