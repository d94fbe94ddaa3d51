"""`libreseed info`: shows the origin and checks of a package version."""

import asyncio
import json
from typing import Any

import click

from libreseed.cli.options import registry_option
from libreseed.modules.fetch.client import RegistryClient

_SIGNATURES = {
    "verified": "the registry's, verified",
    "unsigned": "none of a registry",
    "unknown key": "by a registry key that is not pinned",
    "wrong": "WRONG",
    "by its publisher": "its publisher's",
}
_SOURCES = {
    "store": "as it was not long ago",
    "stale": "as it was when that could last be asked",
    "swarm": "asked in the swarm",
    "upstream": "asked now",
}


@click.command("info", short_help="Show whose a package is and what vouches for it.")
@click.argument("spec", metavar="NAME[@VERSION]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@registry_option
def info_command(spec: str, as_json: bool, registry: str) -> None:
    """Show what the running node knows of a package: who says so, and what vouches for its bytes.

    VERSION may be a version, a dist-tag or a range; without it, it is the tag latest.
    """
    at = spec.find("@", 1)
    name, wanted = (spec, "latest") if at < 0 else (spec[:at], spec[at + 1 :] or "latest")
    info = asyncio.run(_ask(registry, name, wanted))
    if as_json:
        click.echo(json.dumps(info))
        return
    rows = {
        "Package": f"{info['name']}@{info['version']}, one of {info['versions']} versions",
        "Description": info["description"],
        "Deprecated": info["deprecated"],
        "Tags": ", ".join(info["tags"]),
        "Published": info["published"],
        "Said by": f"{info['origin']}, {_SOURCES[info['source']]}"
        if info["origin"]
        else "this node, where it was published",
        "Signature": _SIGNATURES.get(info["signature"], info["signature"]),
        "Problem": info["problem"],
        "Integrity": info["integrity"],
        "Tarball": "in the store" if info["stored"] else "not fetched yet",
    }
    for title, text in rows.items():
        if text:
            click.echo(f"{title + ':':13}{text}")


async def _ask(registry: str, name: str, wanted: str) -> dict[str, Any]:
    async with RegistryClient(registry) as client:
        return await client.info(name, wanted)
