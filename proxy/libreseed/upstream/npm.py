"""Asking the npm command for its configuration."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import orjson

from libreseed.errors import ConfigError

WAY_OUT = "Install Node.js with npm, or name the upstream with --upstream URL, or do without with --upstream none."


async def list_config(environment: Mapping[str, str], directory: Path, *, timeout: float) -> dict[str, object]:
    """Return npm's effective configuration in `directory`, without the values that npm protects.

    Runs `npm config ls -l --json` for at most `timeout` seconds. Raises ConfigError: npm is not found, fails,
    does not answer in time or answers no JSON.
    """
    return await _run_npm(environment, directory, [], timeout=timeout)


async def list_default_config(environment: Mapping[str, str], *, timeout: float) -> dict[str, object]:
    """Return npm's configuration as if no user, project or machine-wide file and no variable named a registry.

    Raises ConfigError, as `list_config`.
    """
    replaced = {"npm_config_registry", "npm_config_userconfig", "npm_config_globalconfig"}
    rest = {key: value for key, value in environment.items() if key.lower() not in replaced}
    with tempfile.TemporaryDirectory(prefix="libreseed-npm-") as name:
        empty = Path(name)
        # Variables, because npm lets them win over its own flags here; two files, because it reads none twice.
        rest["npm_config_userconfig"] = str(empty / "user")
        rest["npm_config_globalconfig"] = str(empty / "global")
        # Without a prefix npm would look for a project in the folders above.
        return await _run_npm(rest, empty, [f"--prefix={empty}"], timeout=timeout)


async def _run_npm(
    environment: Mapping[str, str], directory: Path, arguments: list[str], *, timeout: float
) -> dict[str, object]:
    npm = shutil.which("npm", path=environment.get("PATH", os.defpath))
    if npm is None:
        raise ConfigError("npm, whose registry is to be the upstream, was not found.", hint=WAY_OUT)
    try:
        process = await asyncio.create_subprocess_exec(
            npm,
            "config",
            "ls",
            "-l",
            "--json",
            *arguments,
            cwd=directory,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ConfigError(f"npm could not be started: {error.strerror or error}.", hint=WAY_OUT) from error
    try:
        async with asyncio.timeout(timeout):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise ConfigError(f"npm did not tell its configuration within {timeout:g} s.", hint=WAY_OUT) from error
    finally:
        await _end(process)
    if process.returncode:
        reason = complaint.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ConfigError(f"npm did not tell its configuration: {reason[0][:200]}.", hint=WAY_OUT)
    try:
        config = orjson.loads(output)
    except orjson.JSONDecodeError:
        config = None
    if not isinstance(config, dict):
        raise ConfigError("npm told its configuration in a form that is not JSON.", hint=WAY_OUT)
    return config


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            # npm may be a script that starts another program, which would keep our pipes open.
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
