"""The registry that a command uses: the one that the user names, a node running on this machine, or else a node of its
own."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from libreseed.config import DEFAULT_PORT
from libreseed.errors import StoreError, UnavailableError

if TYPE_CHECKING:
    from libreseed.config import Settings


def default_url() -> str:
    """Return the URL of `libreseed serve` on its default port, or that of LIBRESEED_PORT."""
    return f"http://localhost:{os.environ.get('LIBRESEED_PORT', DEFAULT_PORT)}"


maybe_registry_option = click.option(
    "--registry",
    envvar="LIBRESEED_REGISTRY",
    show_envvar=True,
    help=f"URL of the running registry. By default the one on port {DEFAULT_PORT}, or a node of its own if none runs.",
)


@asynccontextmanager
async def running_registry(url: str | None) -> AsyncIterator[str]:
    """Give the URL of a registry that answers: `url`, the default one, or that of a node that runs until the context is
    left.

    That node has the settings of `libreseed serve`, from its environment variables, but any free port.
    Raises UnavailableError when `url` does not answer, StoreError when the root is in use.
    """
    from libreseed.modules.fetch.probe import probe

    try:
        await probe(url or default_url())
    except UnavailableError:
        if url is not None:
            raise
    else:
        yield url or default_url()
        return
    click.echo("No LibreSeed is running: this command uses a node of its own. To keep one: libreseed serve", err=True)
    from libreseed.node.node import Node

    settings = _settings_of_serve()
    try:
        node = await Node.start(settings)
    except StoreError as error:
        raise StoreError(error.message, hint="If it is on another port: --registry http://localhost:PORT") from None
    try:
        yield node.url
    finally:
        await node.stop()


def _settings_of_serve() -> "Settings":
    from libreseed.cli.serve import serve_command
    from libreseed.config import Settings

    context = serve_command.make_context("serve", [], auto_envvar_prefix=None)
    options = {name: value for name, value in context.params.items() if name != "verbose"}
    return Settings(**{**options, "port": 0, "host": "127.0.0.1"})
