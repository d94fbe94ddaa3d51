"""`libreseed list`, `why` and `outdated`."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click

from libreseed.cli.projects import chosen_project, json_option, project_option
from libreseed.cli.registries import maybe_registry_option, running_registry
from libreseed.modules.fetch.credentials import authorization
from libreseed.modules.lock.lockfile import Lockfile, read_project
from libreseed.modules.project import Project
from libreseed.modules.queries import (
    MAX_DEPTH,
    Outdated,
    find_named,
    find_outdated,
    find_reasons,
    list_tree,
)


@click.command("list", short_help="List the packages of the project.")
@click.option("-a", "--all", "everything", is_flag=True, help="Show also what packages need, and what those need.")
@click.option("--depth", type=click.IntRange(0, MAX_DEPTH), default=0, help="How deep to go.")
@json_option
@project_option
def list_command(everything: bool, depth: int, as_json: bool, root: Path | None) -> None:
    """List what the project depends on, as the lock file has it. Exits with 1 when something is missing in it."""
    lines = list(list_tree(read_project(chosen_project(root)), MAX_DEPTH if everything else depth))
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines]))
    else:
        for line in lines:
            state = " (see above)" if line.seen and depth + everything else ""
            version = f"{line.name}@{line.version}" if line.location else f"{line.name}@{line.range} is missing"
            click.echo(f"{'  ' * line.depth}{version}{state}")
    if any(line.location is None for line in lines):
        raise SystemExit(1)


@click.command("why", short_help="Show why a package is installed.")
@click.argument("name", metavar="PKG")
@json_option
@project_option
def why_command(name: str, as_json: bool, root: Path | None) -> None:
    """Show who needs PKG, a name or a location, and who needs those, up to the project."""
    lockfile = read_project(chosen_project(root))
    reasons = find_reasons(lockfile)
    found = find_named(lockfile, name)
    if as_json:
        answer = {location: [asdict(reason) for reason in reasons[location]] for location in _above(lockfile, found)}
        click.echo(json.dumps(answer))
        return
    for location in found:
        click.echo(f"{lockfile.packages[location].label}  {location}")
        seen = {location}
        pending = [(1, reason) for reason in reversed(reasons[location])]
        while pending:
            depth, reason = pending.pop()
            who = lockfile.packages[reason.location].label if reason.location else "the project"
            again = reason.location in seen
            click.echo(f"{'  ' * depth}{reason.range or '*'} for {who}{' (see above)' if again else ''}")
            if reason.location and not again:
                seen.add(reason.location)
                pending += [(depth + 1, each) for each in reversed(reasons[reason.location])]


def _above(lockfile: Lockfile, locations: list[str]) -> list[str]:
    """Return the locations, and those of all packages that depend on them, directly or not."""
    reasons = find_reasons(lockfile)
    found = dict.fromkeys(locations)
    pending = list(locations)
    while pending:
        for reason in reasons[pending.pop()]:
            if reason.location and reason.location not in found:
                found[reason.location] = None
                pending.append(reason.location)
    return list(found)


@click.command("outdated", short_help="Show which packages have newer versions.")
@click.argument("names", metavar="[PKG]...", nargs=-1)
@json_option
@maybe_registry_option
@project_option
def outdated_command(names: tuple[str, ...], as_json: bool, registry: str | None, root: Path | None) -> None:
    """Show which of the project's dependencies, or of PKGs, have newer versions. Exits with 1 when any has."""
    found = asyncio.run(_outdated(chosen_project(root), names, registry))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found]))
    elif found:
        rows = [("Package", "Current", "BlobRequest", "Latest")]
        rows += [(each.name, each.current, each.wanted, each.latest) for each in found]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if found:
        raise SystemExit(1)


async def _outdated(project: Project, names: tuple[str, ...], registry: str | None) -> list[Outdated]:
    lockfile = read_project(project)
    async with running_registry(registry) as url:
        return await find_outdated(lockfile, url, names, authorization(url, project.root))
