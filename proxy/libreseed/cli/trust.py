"""`libreseed trust`: edits the trust file."""

from pathlib import Path
from typing import BinaryIO

import click
import orjson

from libreseed.cli.options import root_option
from libreseed.config import Settings
from libreseed.errors import InvalidInputError
from libreseed.store.trustfile import TrustFile
from libreseed.trust.keys import format_key, parse_key
from libreseed.trust.registry_signatures import read_keys


@click.group("trust", short_help="Choose whose packages and mirrors are believed.")
def trust_command() -> None:
    """Choose whose packages and mirrors are believed. A running node follows at once."""


@trust_command.command("add")
@click.argument("pattern")
@click.argument("key")
@root_option
def add(pattern: str, key: str, root: Path) -> None:
    """Believe the publisher KEY for the package or pattern PATTERN, such as lodash or '@scope/*'."""
    public = parse_key(key)
    _file(root).change(lambda rules: rules.with_pin(pattern, public))
    click.echo(f"{pattern} is now pinned to {format_key(public)}.")


@trust_command.command("mirror")
@click.argument("key")
@root_option
def mirror(key: str, root: Path) -> None:
    """Believe the mirror KEY about the packages of the upstream registry."""
    public = parse_key(key)
    _file(root).change(lambda rules: rules.with_mirror(public))
    click.echo(f"{format_key(public)} is now trusted as a mirror.")


@trust_command.command("registry-keys")
@click.argument("file", type=click.File("rb"))
@root_option
def registry_keys(file: BinaryIO, root: Path) -> None:
    """Believe the signatures of an npm registry: FILE is what it has at /-/npm/v1/keys; "-" is standard input.

    A running node does this by itself with the keys of its upstream, when it first needs them.
    """
    try:
        keys = read_keys(orjson.loads(file.read()))
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("That is not a registry's list of keys: it is not JSON.") from error
    _file(root).change(lambda rules: rules.with_registry_keys(keys))
    for key in keys:
        click.echo(f"Signatures by {key.keyid} are now believed.")


@trust_command.command("remove")
@click.argument("what", metavar="PATTERN|KEY")
@root_option
def remove(what: str, root: Path) -> None:
    """Believe it no longer: a pinned pattern, a registry's key by its id, or whatever a key is trusted for."""
    _file(root).change(lambda rules: rules.without(what))
    click.echo(f"{what} is no longer trusted.")


@trust_command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@root_option
def show(root: Path, as_json: bool) -> None:
    """Show what is trusted."""
    rules = _file(root).rules()
    if as_json:
        click.echo(rules.encode(), nl=False)
        return
    for pin in sorted(rules.pins, key=lambda pin: pin.pattern):
        click.echo(f"{pin.pattern}  published by  {format_key(pin.key)}")
    for key in rules.mirrors:
        click.echo(f"upstream packages  mirrored by  {format_key(key)}")
    for signer in rules.registry_keys:
        ended = f", until {signer.expires:%Y-%m-%d}" if signer.expires else ""
        click.echo(f"upstream versions  signed by  {signer.keyid}{ended}")
    if not (rules.pins or rules.mirrors or rules.registry_keys):
        click.echo("Nothing is trusted but your upstream registry and the hashes in your lock files.")


def _file(root: Path) -> TrustFile:
    return TrustFile(Settings(root).trust_file)
