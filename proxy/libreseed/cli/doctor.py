"""`libreseed doctor`: verifies and repairs the store."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from libreseed.cli.options import root_option
from libreseed.config import Settings
from libreseed.errors import StoreError
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.rootlock import RootLock
from libreseed.store.verification import Findings, repair_store, verify_store


@click.command("doctor", short_help="Check the store.")
@click.option("--verify", is_flag=True, help="Read every file in the store and compare its hash.")
@click.option("--repair", is_flag=True, help="Set aside what is damaged, so that it is fetched anew; no node may run.")
@root_option
def doctor_command(verify: bool, repair: bool, root: Path) -> int:
    """Check that the store is whole. Exit code 1 when it is not."""
    settings = Settings(root)
    if not settings.database_file.exists():
        raise StoreError(f"There is no store in {root}.", hint="Name another with --root.")
    findings = asyncio.run(_examine(settings, verify, repair))
    for title, digests in (("damaged", findings.damaged), ("missing", findings.missing)):
        for digest in digests:
            click.secho(f"{title}: sha512 {digest.hex()}", fg="red", err=True)
    for line in findings.unreadable:
        click.secho(f"unreadable: {line}", fg="red", err=True)
    for line in findings.database:
        click.secho(f"database: {line}", fg="red", err=True)
    what = "read and found right" if verify else "present (their bytes were not read; --verify does)"
    click.echo(f"{findings.verified} files are {what}.")
    if findings.unreferenced:
        click.echo(f"{len(findings.unreferenced)} files belong to nothing; they stay where they are.")
    if findings.healthy:
        click.secho("The store is in order.", fg="green")
        return 0
    if repair:
        where = settings.swarm_dir / "damaged"
        click.echo("What was wrong is fetched anew when it is asked for.")
        click.echo(f"Damaged files are in {where} now; nothing was deleted.")
        return 0 if not (findings.database or findings.unreadable) else 1
    click.echo("To repair it: stop the node, then libreseed doctor --verify --repair", err=True)
    return 1


async def _examine(settings: Settings, verify: bool, repair: bool) -> Findings:
    blobs = BlobStore(settings.swarm_dir)
    with RootLock(settings.state_dir, needed=repair):
        database = await Database.open(settings.database_file)
        try:
            with Progress(console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Verifying", total=None)
                findings = await verify_store(
                    database,
                    blobs,
                    hashes=verify,
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )
            if repair:
                await repair_store(database, blobs, findings)
        finally:
            await database.close()
    return findings
