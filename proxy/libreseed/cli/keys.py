"""`libreseed keys`: manages the keys that this machine publishes with."""

import sys
from pathlib import Path
from typing import TextIO

import click

from libreseed.cli.options import root_option
from libreseed.config import Settings
from libreseed.errors import InvalidInputError
from libreseed.store.files import write_atomically
from libreseed.store.keyring import DEFAULT, Keyring
from libreseed.trust.keys import PrivateKey, format_key

_name_argument = click.argument("name", default=DEFAULT)


@click.group("keys", short_help="Manage the keys that you publish with.")
def keys_command() -> None:
    """Manage the keys that you publish with. The key named "default" signs for this node."""


@keys_command.command("show")
@_name_argument
@root_option
def show(name: str, root: Path) -> None:
    """Print a public key; the default one is made on first use."""
    ring = _ring(root)
    key = ring.default() if name == DEFAULT else ring.load(name)
    click.echo(format_key(key.public))


@keys_command.command("list")
@root_option
def list_keys(root: Path) -> None:
    """List all keys by name."""
    for name, key in _ring(root).list().items():
        click.echo(f"{name}  {format_key(key.public)}")


@keys_command.command("new")
@click.argument("name")
@root_option
def new(name: str, root: Path) -> None:
    """Make a new key."""
    click.echo(format_key(_ring(root).save(name, PrivateKey.generate()).public))


@keys_command.command("export")
@_name_argument
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, readable by you.")
@root_option
def export(name: str, output: Path | None, root: Path) -> None:
    """Print a private key. Whoever has it can publish as you."""
    seed = _ring(root).load(name).seed.hex()
    if output is None:
        click.echo(seed)
    else:
        write_atomically(output, f"{seed}\n".encode(), 0o600)
        click.echo(f"The private key {name!r} is in {output}. Keep it safe.", err=True)


@keys_command.command("import")
@click.argument("file", type=click.File("r"), default="-")
@click.option("--name", default=DEFAULT, show_default=True, help="The name to keep it under.")
@root_option
def import_key(file: TextIO, name: str, root: Path) -> None:
    """Take over a private key from FILE, or from standard input."""
    if file is sys.stdin and sys.stdin.isatty():
        raise InvalidInputError("Give a file, or pipe the key in.")
    key = PrivateKey.parse(file.read())
    _ring(root).save(name, key)
    click.echo(f"{name}  {format_key(key.public)}")


def _ring(root: Path) -> Keyring:
    return Keyring(Settings(root).keys_dir)
