"""Options that several commands share."""

from pathlib import Path

import click

from libreseed.config import DEFAULT_PORT, default_root

root_option = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_root,
    envvar="LIBRESEED_ROOT",
    show_default="the user's data folder",
    help="Folder of the store, keys and trust file.",
)

registry_option = click.option(
    "--registry",
    envvar="LIBRESEED_REGISTRY",
    default=f"http://localhost:{DEFAULT_PORT}",
    show_default=True,
    show_envvar=True,
    help="URL of the running registry.",
)

upstream_option = click.option(
    "--upstream",
    default="auto",
    show_default=True,
    envvar="LIBRESEED_UPSTREAM",
    metavar="auto|none|URL",
    help="The registry to fall back to; auto is npm's own.",
)
