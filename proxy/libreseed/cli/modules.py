"""`libreseed install`, `add`, `run`, `exec` and `shims`."""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from libreseed import __version__
from libreseed.cli.options import registry_option
from libreseed.errors import NotFoundError
from libreseed.modules.install import Summary, install
from libreseed.modules.project import Project, find_project
from libreseed.modules.run import find_file, read_scripts, run_bin, run_file, run_script
from libreseed.modules.tree import link_shims
from libreseed.shims.render import render_package

_PASS_ALL = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_F = TypeVar("_F", bound=Callable[..., Any])


def _root_option(function: _F) -> _F:
    return click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The project; by default the nearest folder upwards with a package.json.",
    )(function)


def _install_options(function: _F) -> _F:
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
    return registry_option(as_json(_root_option(function)))


@click.command("install", short_help="Install packages into .libreseed_modules.")
@click.argument("specs", metavar="[PKG[@RANGE]]...", nargs=-1)
@_install_options
def install_command(specs: tuple[str, ...], registry: str, as_json: bool, root: Path | None) -> None:
    """Install what package.json asks for, and PKGs, into .libreseed_modules."""
    _install(specs, registry, as_json, root)


@click.command("add")
@click.argument("specs", metavar="PKG[@RANGE]...", nargs=-1, required=True)
@_install_options
def add_command(specs: tuple[str, ...], registry: str, as_json: bool, root: Path | None) -> None:
    """Add PKGs to package.json and install them."""
    _install(specs, registry, as_json, root)


@click.command("run", short_help="Run a file or script with Node.", context_settings=_PASS_ALL)
@click.argument("target", metavar="[FILE|SCRIPT]", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_root_option
def run_command(target: str | None, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a script of package.json, or a file with Node; without either, list the scripts."""
    project = _project(root)
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
@_root_option
def exec_command(command: str, arguments: tuple[str, ...], root: Path | None) -> None:
    """Run a command of an installed package."""
    project = _project(root)
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


def _project(root: Path | None) -> Project:
    return Project(root.resolve()) if root is not None else find_project(Path.cwd())


def _repair(project: Project) -> None:
    """Make the link again that `npm install` prunes."""
    if project.register.is_file():
        link_shims(project)


def _install(specs: tuple[str, ...], registry: str, as_json: bool, root: Path | None) -> None:
    with _Display() as display:
        summary = asyncio.run(
            install(_project(root), registry, specs, shims=render_package(__version__), progress=display)
        )
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    else:
        click.echo(_sentence(summary))
    if summary.skipped_scripts:
        click.echo(f"Install scripts were not run: {', '.join(summary.skipped_scripts)}", err=True)


def _sentence(summary: Summary) -> str:
    sources = ", ".join(f"{count} {source}" for source, count in sorted(summary.sources.items()))
    text = f"{summary.packages} packages in {summary.seconds:.1f} s"
    text += f", {summary.fetched} fetched ({sources})" if summary.fetched else ", nothing to fetch"
    return text + (f", {summary.left_out} for other systems left out" if summary.left_out else "")


class _Display:
    """Progress on stderr: a bar on a terminal, a plain line for each stage otherwise."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = self._stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stage(self, text: str, total: int = 0) -> None:
        if self._bar is None:
            click.echo(f"{text} {total} packages" if total else text, err=True)
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(text, total=total or None)

    def advance(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)
