"""`libreseed status`: shows the status of the running node."""

import asyncio
import json
from typing import Any

import click

from libreseed.cli.options import registry_option
from libreseed.errors import UnavailableError
from libreseed.modules.fetch.client import RegistryClient

_NAME = 17
"""Letters of a blob's hash that are shown."""


@click.command("status", short_help="Show the running node.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--peers", is_flag=True, help="Show what was measured of other nodes.")
@registry_option
def status_command(as_json: bool, peers: bool, registry: str) -> None:
    """Show the running node: its key and addresses, whom it knows, what it holds and where answers came from."""
    status = asyncio.run(_ask(registry))
    if status is None:
        raise UnavailableError(f"{registry} is a registry, but not LibreSeed.", hint="Name another with --registry.")
    if as_json:
        click.echo(json.dumps(status))
        return
    served = ", ".join(f"{count} from the {source}" for source, count in status["served"].items() if count)
    upstream = status["upstream"]
    where = upstream["url"] or ("not asked yet, or none" if not upstream["requests"] else "unknown")
    rows = {
        "Version": status["version"],
        "Publisher key": status["publisher"],
        "Overlay": f"{status['overlay']}, {status['peers']['overlay']} other nodes known",
        "BitTorrent": f"{status['p2p']}, {status['peers']['bittorrent']} peers connected now",
        "Limits": ", ".join(f"{way} {rate / 1e6:g} MB/s" for way, rate in status["limits"].items() if rate) or "none",
        "Store": f"{status['store']['tarballs']} tarballs of {status['store']['packages']} packages,"
        f" {status['store']['bytes'] / 1e6:.1f} MB with their metadata",
        "Served": served.replace("from the stale", "stale") or "nothing yet",
        "Upstream": f"{where}, {upstream['requests']} requests",
    }
    for title, text in rows.items():
        click.echo(f"{title + ':':15}{text}")
    for each in status["upstreams"]:
        if each["name"] != "default" or each["state"] != "up":
            click.echo(f"{'':15}{_upstream(each)}")
    for each in status["transfers"]:
        click.echo(_transfer(each))
    if peers:
        for each in status["seeders"]:
            click.echo(_seeder(each))
        if not status["seeders"]:
            click.echo("Nothing has come from other nodes yet.")


def _transfer(transfer: dict[str, Any]) -> str:
    """Return one line about a torrent that bytes of are on their way."""
    name = transfer["name"] if len(transfer["name"]) < _NAME else f"{transfer['name'][:_NAME]}…"
    rates = f"{transfer['down'] / 1e6:.1f} MB/s in, {transfer['up'] / 1e6:.1f} MB/s out"
    size = f"{transfer['length'] / 1e6:.1f} MB"
    return f"{'Transfer:':15}{name}, {size}, {transfer['peers']} peers: {rates}, {transfer['copies']:.2f} copies sent"


def _seeder(seeder: dict[str, Any]) -> str:
    """Return one line about what was measured of another node."""
    latency = "" if seeder["latency"] is None else f", {seeder['latency'] * 1000:.1f} ms away"
    uptime = "" if seeder["uptime"] is None else f", there {seeder['uptime']:.0%} of the time"
    wrong = seeder["failed"] + seeder["lies"]
    return (
        f"{seeder['peer']:24}{seeder['verified'] / 1e6:9.1f} MB verified, {wrong:g} times wrong bytes{latency}{uptime}"
    )


def _upstream(state: dict[str, Any]) -> str:
    """Return one line about an upstream: its URL, the packages that belong to it, and whether it answers."""
    names = "all other names" if state["name"] == "default" else ", ".join(state["packages"])
    requests = "" if state["requests"] is None else f", {state['requests']} requests"
    again = f"in {state['wait']} s" if state["wait"] else "with the next request"
    says = {"up": "", "offline": ", not asked: offline", "down": f", down: tried again {again}"}
    return f"{state['name']}: {state['url'] or 'none'} for {names}{requests}{says[state['state']]}"


async def _ask(registry: str) -> dict[str, Any] | None:
    async with RegistryClient(registry) as client:
        return await client.status()
