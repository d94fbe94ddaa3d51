"""`libreseed serve`: the registry on localhost."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import click

from libreseed.cli.options import root_option, upstream_option
from libreseed.cli.rates import read_rate
from libreseed.config import DEFAULT_PORT, Settings, read_config
from libreseed.errors import ConfigError
from libreseed.node.node import Node
from libreseed.packages.access import read_access

_OWN_OPTIONS = {"config", "verbose"}
_TABLES = {"policy", "upstreams", "access", "groups"}


def _load_config(context: click.Context, _: click.Parameter, file: Path | None) -> None:
    if file is not None:
        known = {parameter.name for parameter in context.command.params if parameter.name} - _OWN_OPTIONS
        values = read_config(file, known | _TABLES)
        tables = {table: values.pop(table) for table in _TABLES & values.keys()}
        try:
            read_access(tables.get("access", {}), tables.get("groups", {}))
        except ConfigError as error:
            raise ConfigError(f"The configuration file {file} is wrong: {error.message}", hint=error.hint) from error
        context.ensure_object(dict).update(tables)
        context.default_map = {**(context.default_map or {}), **values}


@click.command("serve", short_help="Run the registry on this machine.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="LIBRESEED_CONFIG",
    callback=_load_config,
    is_eager=True,
    expose_value=False,
    help="TOML file with any of these options as keys, and [upstreams.NAME] tables.",
)
@root_option
@click.option("--host", default="127.0.0.1", show_default=True, envvar="LIBRESEED_HOST", help="Address for HTTP.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    envvar="LIBRESEED_PORT",
    help="TCP port for HTTP; 0 takes a free one.",
)
@upstream_option
@click.option(
    "--upstream-timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=60.0,
    show_default=True,
    envvar="LIBRESEED_UPSTREAM_TIMEOUT",
    help="Seconds that the upstream has for an answer.",
)
@click.option(
    "--offline/--no-offline",
    default=False,
    show_default=True,
    envvar="LIBRESEED_OFFLINE",
    help="Ask no registry; what is stored and what the swarm has still installs.",
)
@click.option(
    "--p2p-host",
    default="0.0.0.0",  # noqa: S104
    show_default=True,
    envvar="LIBRESEED_P2P_HOST",
    help="Address for the overlay and BitTorrent.",
)
@click.option(
    "--p2p-port",
    type=click.IntRange(0, 65535),
    default=0,
    envvar="LIBRESEED_P2P_PORT",
    help="TCP and UDP port for BitTorrent; 0 takes a free one.",
)
@click.option(
    "--overlay-port",
    type=click.IntRange(0, 65535),
    default=0,
    envvar="LIBRESEED_OVERLAY_PORT",
    help="UDP port for the overlay; 0 takes a free one.",
)
@click.option(
    "--bootstrap",
    multiple=True,
    envvar="LIBRESEED_BOOTSTRAP",
    metavar="HOST:PORT",
    help="An overlay node to join by; may be repeated.",
)
@click.option(
    "--mainline/--no-mainline",
    default=False,
    show_default=True,
    envvar="LIBRESEED_MAINLINE",
    help="Find peers in the BitTorrent DHT of the internet too.",
)
@click.option(
    "--lan/--no-lan",
    default=True,
    show_default=True,
    envvar="LIBRESEED_LAN",
    help="Find peers in the local network by multicast.",
)
@click.option(
    "--upload-limit",
    type=read_rate,
    metavar="RATE",
    default="0",
    show_default="none",
    envvar="LIBRESEED_UPLOAD_LIMIT",
    help="Bytes a second that go to other nodes, such as 500K or 5M.",
)
@click.option(
    "--download-limit",
    type=read_rate,
    metavar="RATE",
    default="0",
    show_default="none",
    envvar="LIBRESEED_DOWNLOAD_LIMIT",
    help="Bytes a second that come from other nodes; what an upstream sends does not count.",
)
@click.option(
    "--share/--no-share",
    default=True,
    show_default=True,
    envvar="LIBRESEED_SHARE",
    help="Seed public packages from the upstream, and sign their metadata as a mirror.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    envvar="LIBRESEED_ALLOW_HOST",
    metavar="NAME",
    help="A host name to answer for, beside localhost and addresses.",
)
@click.option(
    "--mirrors-needed",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    envvar="LIBRESEED_MIRRORS_NEEDED",
    help="How many trusted mirrors must agree.",
)
@click.option(
    "--hedge",
    type=click.FloatRange(0, 60),
    default=0.2,
    show_default=True,
    envvar="LIBRESEED_HEDGE",
    help="Seconds that the swarm has before the upstream is asked too.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(0),
    default=300,
    show_default=True,
    envvar="LIBRESEED_MAX_AGE",
    help="Seconds in which the upstream is not asked again which versions a package has.",
)
@click.option(
    "--minimum-release-age",
    envvar="LIBRESEED_MINIMUM_RELEASE_AGE",
    default="",
    metavar="AGE",
    help="Show no version before it is this old, such as 7d; exceptions and other rules: [policy] of the TOML file.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every request and what the network does, to stderr.")
@click.pass_context
def serve_command(context: click.Context, /, verbose: bool, **options: Any) -> None:
    """Run the registry on this machine, until Ctrl-C.

    Every option can be set by a variable LIBRESEED_… and by a key in a TOML file. What is fetched and published
    lies below --root.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    settings = Settings(**options, **context.ensure_object(dict))
    if sys.platform == "win32":
        asyncio.run(_serve(settings))
    else:
        import uvloop

        uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    node = await Node.start(settings)
    try:
        click.echo(f"LibreSeed is ready at {node.url} - use it by: npm config set registry {node.url}")
        await ended.wait()
    finally:
        await node.stop()
