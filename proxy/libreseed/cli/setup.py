"""`libreseed setup`: points npm, pnpm, yarn and bun at the running registry, and back."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from libreseed.cli.options import registry_option
from libreseed.clients.backup import USER, BackupFile
from libreseed.clients.endpoint import Endpoint, without_user
from libreseed.clients.places import CLIENTS, find_clients, overruling, project_places, user_places
from libreseed.clients.pointing import Change, point, take_back_all
from libreseed.errors import UnavailableError
from libreseed.modules.fetch.client import RegistryClient
from libreseed.modules.workspaces import find_workspace

_NEAREST = "."


@click.command("setup", short_help="Point npm, pnpm, yarn and bun at the registry, and back.")
@click.option("--undo", is_flag=True, help="Put back what was there before.")
@click.option(
    "--project",
    is_flag=False,
    flag_value=_NEAREST,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[DIR]",
    help="For the project in DIR only, by default the nearest one upwards; else for all of yours.",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice(CLIENTS),
    help="A client, may be repeated; by default all that are found. npm's file is always set up: others read it too.",
)
@click.option("--login", metavar="NAME", help="Log in as NAME, or make that account, so that publishing works.")
@click.option("--force", is_flag=True, help="Also when no registry answers.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@registry_option
def setup_command(
    undo: bool,
    project: Path | None,
    clients: Sequence[str],
    login: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    registry: str,
) -> None:
    """Point npm, pnpm, yarn 1, yarn 4 and bun at the running registry; with --undo, back to what they used before.

    What their files said before is remembered. Registries of single scopes stay as they are.
    """
    if undo and (login or force):
        raise click.UsageError("--undo goes with neither --login nor --force.")
    if project is not None:
        project = find_workspace(project).project.root if project == Path(_NEAREST) else project.resolve()
    scope = USER if project is None else str(project)
    backups = BackupFile()
    notes: list[str] = []
    if undo:
        changes = take_back_all(backups, scope, clients, dry=dry_run)
    else:
        chosen = clients or find_clients(os.environ)
        endpoint = Endpoint.parse(registry)
        status, token = asyncio.run(_ask(endpoint.url, login, force=force, dry=dry_run))
        endpoint = Endpoint(endpoint.url, token)
        places = user_places(chosen, os.environ) if project is None else project_places(chosen, project, os.environ)
        changes = point(places, endpoint, backups, scope, dry=dry_run)
        notes = _notes(changes, endpoint=endpoint, clients=chosen, project=project, login=login, status=status)
    if as_json:
        files = [_as_json(change) for change in changes]
        click.echo(json.dumps({"scope": scope, "undo": undo, "dry_run": dry_run, "files": files, "notes": notes}))
        return
    _print(changes, undo=undo, dry=dry_run, where="" if project is None else f" --project {project}")
    for note in notes:
        click.echo(note)


async def _ask(url: str, login: str | None, *, force: bool, dry: bool) -> tuple[dict[str, Any] | None, str]:
    """Return the status of the registry, None when it does not answer and `force`, and a token, "" unless the user logs
    in."""
    async with RegistryClient(url) as client:
        try:
            await client.ping()
            status = await client.status()
            if status is None:
                raise UnavailableError(f"{client.url} is a registry, but not LibreSeed.")
        except UnavailableError as error:
            if force and not login:
                return None, ""
            raise UnavailableError(
                f"{error.message} Your package managers would find nothing there.",
                hint="Start it with: libreseed serve. To set them up all the same: --force, without --login.",
            ) from error
        if login is None or dry:
            return status, ""
        password = await asyncio.to_thread(click.prompt, f"Password of {login} at {url}", hide_input=True, err=True)
        return status, await client.log_in(login, password)


def _notes(
    changes: Sequence[Change],
    endpoint: Endpoint,
    *,
    clients: Sequence[str],
    project: Path | None,
    login: str | None,
    status: dict[str, Any] | None,
) -> list[str]:
    notes = []
    upstream = status["upstream"]["url"] if status else None
    former = next((change.former for change in changes if change.client == "npm"), None)
    if project is not None and former and former.rstrip("/") not in (endpoint.url.rstrip("/"), upstream):
        notes.append(
            f"This project used {without_user(former)} of its own. The registry falls back to that when it is started"
            f" in {project}, or with --upstream URL."
        )
    for name, value in overruling(clients, os.environ).items():
        if value.rstrip("/") != endpoint.url.rstrip("/"):
            notes.append(f"The environment variable {name} overrules these files: it says {without_user(value)}.")
    if status is None:
        notes.append(
            "No LibreSeed registry answers there, so nothing can be installed now. Start it with: libreseed serve"
        )
    if login is None:
        notes.append("To publish, log in with: libreseed setup --login NAME")
    return notes


def _as_json(change: Change) -> dict[str, Any]:
    former = without_user(change.former) if change.former else None
    return {
        "client": change.client,
        "path": str(change.path),
        "action": change.action,
        "former": former,
        "complete": change.complete,
    }


def _print(changes: Sequence[Change], *, undo: bool, dry: bool, where: str) -> None:
    if not changes:
        click.echo("There is nothing to undo here.")
        return
    for change in changes:
        before = ""
        if not undo:
            before = f" (before: {without_user(change.former)})" if change.former else " (named no registry before)"
        elif not change.complete:
            before = " (you edited what had been written; that is left as it is)"
        elif change.action == "merged":
            before = " (what you edited since is kept)"
        click.echo(f"{change.client + ':':7}{change.action:10}{change.path}{before}")
    if dry:
        click.echo("Nothing has been done: this was a dry run.")
    elif not undo:
        click.echo(f"Back with: libreseed setup --undo{where}")
