"""npm and Node as a user runs them, apart from the user's own configuration, cache and projects."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from libreseed.errors import UnavailableError

TIMEOUT = 120.0
"""Seconds that one command has."""

_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "proxy"})
_NOISE = ("npm error A complete log", "npm error code", "npm error errno")


def find_command(name: str) -> str:
    """Return the path of `node` or `npm`. Raises UnavailableError."""
    path = shutil.which(name)
    if path is None:
        raise UnavailableError(
            f"{name} is not on the PATH, and the demo installs with npm.",
            hint="Install Node.js 18 or later, which brings npm, then run the demo again.",
        )
    return path


@dataclass(frozen=True, slots=True)
class Npm:
    """npm with one registry. Its configuration and cache are in `home`, which is made when it is missing."""

    registry: str
    home: Path

    def log_in(self, token: str) -> None:
        """Write the token of an account into the configuration."""
        host = self.registry.partition(":")[2]
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "npmrc").write_text(f"{host}/:_authToken={token}\n")

    async def run(self, folder: Path, *arguments: str) -> str:
        """Run npm in a project and return what it printed. Raises UnavailableError: it failed, and why."""
        return await run_command([find_command("npm"), *arguments], folder, self._environment())

    def _environment(self) -> dict[str, str]:
        # What the user configured for another registry, such as a minimum age or a proxy, is not meant for this one.
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.lower().startswith("npm_") and key.lower() not in _PROXIES
        }
        return kept | {
            "npm_config_registry": self.registry,
            "npm_config_userconfig": str(self.home / "npmrc"),
            "npm_config_globalconfig": str(self.home / "global"),
            "npm_config_cache": str(self.home / "cache"),
            "npm_config_audit": "false",
            "npm_config_fund": "false",
            "npm_config_update_notifier": "false",
            "npm_config_ignore_scripts": "true",
            "npm_config_loglevel": "error",
            "npm_config_fetch_retries": "1",
        }


async def run_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, *, timeout: float = TIMEOUT
) -> str:
    """Run a command and return what it printed. Raises UnavailableError: not started, failed or out of time."""
    shown = " ".join([Path(command[0]).stem, *command[1:]])
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError(f"{shown} could not be started: {error.strerror or error}.") from error
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise UnavailableError(f"{shown} was not done within {timeout:.0f} s.") from error
    finally:
        await _end(process)
    if process.returncode:
        lines = [line for line in complaint.decode(errors="replace").splitlines() if not line.startswith(_NOISE)]
        reason = " ".join(line.removeprefix("npm error").strip() for line in lines[:3])
        raise UnavailableError(f"{shown} failed: {reason or f'exit code {process.returncode}'}")
    return output.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
