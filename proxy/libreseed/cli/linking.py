"""`libreseed init`, `link`, `unlink` and `shims`."""

from pathlib import Path

import click

from libreseed import __version__
from libreseed.cli.projects import chosen_project, project_option
from libreseed.modules.linking import initialise, link_folder, link_packages, uninitialise, unlink
from libreseed.shims.render import render_package


@click.command("init", short_help="Let plain Node load from .libreseed_modules.")
@click.option("--undo", is_flag=True, help="Take it back; what is installed stays.")
@project_option
def init_command(undo: bool, root: Path | None) -> None:
    """Make `require('libreseed/register')` work in this project, and survive `npm install`.

    Writes the package `libreseed` into .libreseed_modules, a link to it into node_modules, and the dependency on it
    into package.json.
    """
    project = chosen_project(root)
    if undo:
        done = uninitialise(project)
        click.echo("package.json and node_modules are as before." if done else "There is nothing to undo.")
        return
    changed = initialise(project, render_package(__version__))
    click.echo("package.json has libreseed as a dependency now." if changed else "All is there already.")
    click.echo("Start with: node --require libreseed/register app.js, or --import, or libreseed run app.js")


@click.command("link", short_help="Link packages in node_modules, for tools that follow no hook.")
@click.option("--all", "whole", is_flag=True, help="Make node_modules itself a link to everything installed.")
@project_option
def link_command(whole: bool, root: Path | None) -> None:
    """Link each direct dependency from node_modules, for TypeScript, Turbopack and what else follows no hook.

    What node_modules has of its own stays. Run it again after an install that brought new dependencies.
    """
    project = chosen_project(root)
    if whole:
        link_folder(project)
        click.echo("node_modules is a link to .libreseed_modules/node_modules.")
        return
    linked, kept = link_packages(project)
    click.echo(f"Packages linked in node_modules: {len(linked)}")
    if kept:
        click.echo(f"Left alone, because they are in node_modules already: {', '.join(kept)}", err=True)


@click.command("unlink", short_help="Remove the links that `libreseed link` made.")
@project_option
def unlink_command(root: Path | None) -> None:
    """Remove the links that `libreseed link` made, and nothing else."""
    removed = unlink(chosen_project(root))
    click.echo(f"Removed from node_modules: {', '.join(removed)}" if removed else "There are no links.")


@click.command("shims", short_help="Write the npm package `libreseed` to a folder.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def shims_command(folder: Path) -> None:
    """Write the npm package `libreseed`, which teaches Node about .libreseed_modules, into DIR."""
    files = render_package(__version__)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    click.echo(f"{len(files)} files in {folder}")
