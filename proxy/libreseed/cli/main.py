"""The command `libreseed`: imports the module of a subcommand, and turns errors into messages and exit codes."""

import importlib
import sys

import click

from libreseed import __version__
from libreseed.errors import ConfigError, InvalidInputError, LibreseedError

_COMMANDS = {
    "add": "install",
    "approve-scripts": "scripts",
    "ci": "install",
    "demo": "demo",
    "doctor": "doctor",
    "exec": "modules",
    "info": "info",
    "init": "linking",
    "install": "install",
    "keys": "keys",
    "link": "linking",
    "list": "packages",
    "outdated": "packages",
    "remove": "install",
    "run": "modules",
    "serve": "serve",
    "setup": "setup",
    "shims": "linking",
    "status": "status",
    "trust": "trust",
    "unlink": "linking",
    "update": "install",
    "why": "packages",
}
"""Command -> module of this package that defines it, which is imported when the command is used."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"libreseed.cli.{_COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name.replace("-", "_") + "_command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__} does not define {cmd_name}")
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="libreseed")
def cli() -> None:
    """An npm registry on your own machine that cannot go down."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 usage."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except LibreseedError as error:
        click.secho(f"libreseed: {error.message}", fg="red", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(2 if isinstance(error, ConfigError | InvalidInputError) else 1)
    sys.exit(code if isinstance(code, int) else 0)
