"""`libreseed demo`."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from libreseed.cli.options import upstream_option
from libreseed.demo.display import PlainDisplay, TerminalDisplay, print_outcome
from libreseed.demo.story import Outcome, run_demo


@click.command("demo", short_help="See it work: three nodes, a package published, a tree installed.")
@click.option("--keep", is_flag=True, help="Keep the folder with the nodes and projects.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; the rest goes to stderr.")
@upstream_option
def demo_command(keep: bool, as_json: bool, upstream: str) -> int:
    """See LibreSeed work, in less than a minute.

    Three nodes start on this machine: a publisher, a mirror and a newcomer without an upstream. A package is
    published with npm; the newcomer installs it, and Express with all that it depends on, over BitTorrent. Nothing
    outside of a temporary folder is changed.
    """
    console = Console(stderr=as_json, highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="libreseed-demo-"))
    try:
        outcome = _run(_play(folder, console, upstream))
        print_outcome(console, outcome)
    except asyncio.CancelledError:
        raise click.Abort from None
    finally:
        if keep:
            console.print(f"Kept: {folder}", soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(json.dumps({"complete": not outcome.problem} | asdict(outcome)))
    return 1 if outcome.problem else 0


async def _play(folder: Path, console: Console, upstream: str) -> Outcome:
    task = asyncio.current_task()
    if sys.platform != "win32" and task is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with TerminalDisplay(console) if console.is_terminal else PlainDisplay(console) as display:
        return await run_demo(folder, display, upstream=upstream)


def _run(story: Coroutine[Any, Any, Outcome]) -> Outcome:
    if sys.platform == "win32":
        return asyncio.run(story)
    import uvloop

    return uvloop.run(story)
