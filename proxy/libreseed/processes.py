"""Runs another program to its end, apart from the terminal and within a time limit."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from libreseed.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: what to call it in a message, its exit code (negative: the signal that ended it), and
    what it wrote to stdout and stderr."""

    title: str
    code: int
    output: str
    errors: str


async def run(
    command: Sequence[str],
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    timeout: float,
) -> Finished:
    """Run `command` in `directory` (default: the current one), with nothing to read, and return how it ended.

    After `timeout` seconds, or when the caller is cancelled, it is ended with all that it started.
    Raises UnavailableError: it could not be started, or was not done in time.
    """
    title = _title(command)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env=None if environment is None else dict(environment),  # uvloop takes no other mapping
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError(f"{title} could not be started: {error.strerror or error}.") from error
    try:
        async with asyncio.timeout(timeout), _ended_on_failure(process):
            output, errors = await process.communicate()
            code = await process.wait()
    except TimeoutError as error:
        raise UnavailableError(f"{title} was not done within {timeout:g} s.", hint="Try again.") from error
    return Finished(title, code, output.decode(errors="replace"), errors.decode(errors="replace"))


@asynccontextmanager
async def _ended_on_failure(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                # Even when the program itself is gone: what it started may live on, and keep our pipes open.
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise


def _title(command: Sequence[str]) -> str:
    """Return the program's name and its words before the first option, such as `npm install`."""
    return " ".join([Path(command[0]).stem, *takewhile(lambda word: not word.startswith("-"), command[1:])])
