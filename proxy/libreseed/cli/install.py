"""`libreseed install`, `ci`, `add`, `remove` and `update`."""

import asyncio
import gc
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from libreseed import __version__
from libreseed.cli.display import Display, packages
from libreseed.cli.projects import chosen_workspace, json_option, project_option
from libreseed.cli.registries import maybe_registry_option, running_registry
from libreseed.config import cache_dir, shared_packages_dir
from libreseed.modules.install import Summary, install
from libreseed.modules.lock.lockfile import read_project
from libreseed.modules.lock.resolver import Change
from libreseed.modules.project import Project
from libreseed.modules.scripts.lifecycle import run_folder_scripts, run_project_scripts
from libreseed.modules.workspaces import named_workspaces
from libreseed.shims.render import render_package

_F = TypeVar("_F", bound=Callable[..., Any])

_PATH = re.compile(r"^\.{1,2}(?:/.*)?$|(?<=file:)\.{1,2}(?:/.*)?$")
"""Matches the relative path in `./folder`, `file:../folder` or `name@file:./folder`."""
_SAVE = {
    "save_dev": "--save-dev",
    "save_optional": "--save-optional",
    "save_peer": "--save-peer",
    "exact": "--save-exact",
}


def _options(*extra: Callable[[Any], Any]) -> Callable[[_F], _F]:
    """Add the options of every command that installs, and `extra` ones before them."""

    def decorate(function: _F) -> _F:
        common = (
            click.option(
                "--omit",
                multiple=True,
                type=click.Choice(["dev", "optional", "peer"]),
                help="Leave these dependencies out; may be repeated.",
            ),
            click.option("--production", is_flag=True, help="The same as --omit dev."),
            click.option(
                "--ignore-scripts", is_flag=True, help="Run no install scripts, allowed or not, nor the project's."
            ),
            click.option(
                "--link",
                type=click.Choice(["auto", "copy"]),
                default="auto",
                show_default=True,
                envvar="LIBRESEED_LINK",
                show_envvar=True,
                help="auto: share unpacked files with other projects, by clones or hard links; copy: own files.",
            ),
            json_option,
            maybe_registry_option,
            project_option,
        )
        for option in reversed((*extra, *common)):
            function = option(function)
        return function

    return decorate


_save_options = (
    click.option("-D", "--save-dev", is_flag=True, help="Write PKGs to devDependencies."),
    click.option("-O", "--save-optional", is_flag=True, help="Write PKGs to optionalDependencies."),
    click.option("--save-peer", is_flag=True, help="Write PKGs to peerDependencies."),
    click.option("-E", "--save-exact", "exact", is_flag=True, help="Write the version, not a range."),
)
_workspace_option = click.option(
    "-w",
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="NAME",
    help="Change this workspace, not the one that we are in; may be repeated.",
)


@click.command("install", short_help="Install packages into .libreseed_modules.")
@click.argument("specs", metavar="[PKG[@RANGE]]...", nargs=-1)
@_options(*_save_options, _workspace_option)
def install_command(specs: tuple[str, ...], workspaces: tuple[str, ...], **options: Any) -> None:
    """Install what package.json asks for, and PKGs, into .libreseed_modules.

    PKG is a name of the registry with or without a range or tag, NAME@npm:OTHER@RANGE, a folder, a tarball, or git.
    """
    _install(Change("install", _with_absolute_paths(specs), _chosen(options), workspaces), **options)


@click.command("ci", short_help="Install exactly what the lock file says, anew.")
@_options()
def ci_command(**options: Any) -> None:
    """Install exactly what package-lock.json says, every package anew, and change neither it nor package.json."""
    _install(Change(), clean=True, **options)


@click.command("add")
@click.argument("specs", metavar="PKG[@RANGE]...", nargs=-1, required=True)
@_options(*_save_options, _workspace_option)
def add_command(specs: tuple[str, ...], workspaces: tuple[str, ...], **options: Any) -> None:
    """Add PKGs to package.json and install them."""
    _install(Change("install", _with_absolute_paths(specs), _chosen(options), workspaces), **options)


@click.command("remove")
@click.argument("names", metavar="PKG...", nargs=-1, required=True)
@_options(_workspace_option)
def remove_command(names: tuple[str, ...], workspaces: tuple[str, ...], **options: Any) -> None:
    """Remove PKGs from package.json, and what only they needed."""
    _install(Change("uninstall", names, workspaces=workspaces), **options)


@click.command("update", short_help="Bring packages up to date.")
@click.argument("names", metavar="[PKG]...", nargs=-1)
@_options(_workspace_option)
def update_command(names: tuple[str, ...], workspaces: tuple[str, ...], **options: Any) -> None:
    """Bring PKGs, or all packages, to the newest versions that package.json allows."""
    _install(Change("update", names, workspaces=workspaces), **options)


def _with_absolute_paths(specs: Sequence[str]) -> list[str]:
    """Return the specs with relative paths made absolute, since npm runs in the project's folder, not in the current
    one."""
    return [_PATH.sub(lambda match: os.path.normpath(Path.cwd() / match[0]), spec) for spec in specs]


def _chosen(options: dict[str, Any]) -> list[str]:
    """Remove the options about package.json from `options`, and return npm's options for them."""
    return [word for name, word in _SAVE.items() if options.pop(name)]


def _install(
    change: Change,
    *,
    omit: tuple[str, ...],
    production: bool,
    ignore_scripts: bool,
    link: str,
    as_json: bool,
    registry: str | None,
    root: Path | None,
    clean: bool = False,
) -> None:
    gc.set_threshold(100_000)  # an install frees few objects before its end, and collecting took 5 % of it
    workspace = chosen_workspace(root)
    project = workspace.project
    if change.is_wanted and workspace.folder and not change.workspaces:
        change = replace(change, workspaces=(workspace.folder,))
    with Display(quiet=as_json) as display:
        installing = install(
            project,
            lambda: running_registry(registry),
            change,
            shims=render_package(__version__, cache_dir() / "shims.json"),
            progress=display,
            clean=clean,
            omit={*omit, "dev"} if production else set(omit),
            scripts=not ignore_scripts,
            shared=shared_packages_dir() if link == "auto" else None,
        )
        summary = asyncio.run(installing)
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    else:
        _print_summary(summary)
    if not ignore_scripts:
        command = "ci" if clean else change.command
        folders = _folders(project, change) if change.workspaces else summary.linked
        run_folder_scripts(project, folders, command, quiet=as_json)
        if not change.is_wanted:
            run_project_scripts(project, command, quiet=as_json)


def _folders(project: Project, change: Change) -> list[str]:
    return [each.folder for each in named_workspaces(project, read_project(project), change.workspaces)]


def _print_summary(summary: Summary) -> None:
    click.echo(_sentence(summary))
    if summary.absent:
        click.echo(f"Optional, and not to be had: {', '.join(summary.absent)}", err=True)
    if summary.skipped_scripts:
        click.echo(
            f"Install scripts were not run: {', '.join(summary.skipped_scripts)}\n"
            "  To allow them: libreseed approve-scripts PKG",
            err=True,
        )


def _sentence(summary: Summary) -> str:
    sources = ", ".join(f"{count} {source}" for source, count in sorted(summary.sources.items()))
    text = f"{packages(summary.packages)} in {summary.seconds:.1f} s"
    text += f", {summary.fetched} fetched ({sources})" if summary.fetched else ", nothing to fetch"
    if summary.continued:
        text += f", {summary.continued} from an install that was interrupted"
    if summary.left_out:
        text += f", {summary.left_out} for other systems left out"
    return text + (f", scripts of {', '.join(summary.ran_scripts)} run" if summary.ran_scripts else "")
