"""npm and Node on this machine: finding them, running npm, and asking it for its configuration."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from libreseed.errors import UnavailableError
from libreseed.processes import Finished, run

_SAYS = ("npm error", "npm ERR!")
_PREFIX = re.compile(r"^npm (?:error|ERR!) ?(?:(?:code|errno) \S+$|(?:\d{3}|notarget|E[A-Z0-9]{3,})(?: +|$))?")
_NOISE = re.compile(
    r"A complete log|If you are behind a proxy|For a full report|Note that you can also|tarball, folder, http"
)
_LINE = 500
"""Characters of a line of npm's that are passed on."""


def find_command(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the path of `node` or `npm` on the PATH of `environment` (default: our own). Raises UnavailableError."""
    environment = os.environ if environment is None else environment
    path = shutil.which(name, path=environment.get("PATH", os.defpath))
    if path is None:
        raise UnavailableError(
            f"{name} is not on the PATH.", hint="Install Node.js 18 or later, which brings npm, then try again."
        )
    return path


async def run_npm(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None, *, timeout: float
) -> Finished:
    """Run npm in `directory` for at most `timeout` seconds and return how it ended.

    Raises UnavailableError: it is not found, could not be started, or was not done in time.
    """
    return await run([find_command("npm", environment), *arguments], directory, environment, timeout=timeout)


def complaints(errors: str) -> list[str]:
    """Return what npm says went wrong in its stderr, line by line, without prefixes, codes and where its log is.

    All lines when none is npm's own, as when it crashed. A line has at most 500 characters.
    """
    said = [line for line in errors.splitlines() if line.startswith(_SAYS)] or errors.splitlines()
    bare = (_PREFIX.sub("", line).strip() for line in said)
    return [line[:_LINE] for line in bare if line and not _NOISE.match(line)]


async def project_folder(environment: Mapping[str, str], directory: Path, *, timeout: float) -> Path:
    """Return the project that npm sees in `directory`: the nearest folder upwards with a package.json or node_modules,
    or the project that has that folder as a workspace.

    npm is asked, for at most `timeout` seconds, only where there can be one. Raises UnavailableError.
    """
    nearest = next((folder for folder in (directory, *directory.parents) if _is_project(folder)), directory)
    if not any((folder / "package.json").exists() for folder in nearest.parents):
        return nearest
    done = await run_npm(["prefix"], directory, environment, timeout=timeout)
    if done.code or not done.output.strip():
        raise UnavailableError(f"npm did not tell the project of {directory}: {_reason(done)}.")
    return Path(done.output.strip())


def _is_project(folder: Path) -> bool:
    return (folder / "package.json").exists() or (folder / "node_modules").is_dir()


async def list_config(
    environment: Mapping[str, str], directory: Path, *, project: Path | None = None, timeout: float
) -> dict[str, object]:
    """Return npm's effective configuration in `directory`, without the values that npm protects.

    The project is the folder `project`, by default the one that npm finds from `directory` upwards. npm refuses in a
    workspace: `directory` is the project's then. Runs `npm config ls -l --json` for at most `timeout` seconds.
    Raises UnavailableError: npm is not found, fails, does not answer in time or answers no JSON.
    """
    flags = [] if project is None else [f"--prefix={project}"]
    done = await run_npm(["config", "ls", "-l", "--json", *flags], directory, environment, timeout=timeout)
    if done.code:
        raise UnavailableError(f"npm did not tell its configuration: {_reason(done)}.")
    try:
        config = orjson.loads(done.output)
    except orjson.JSONDecodeError:
        config = None
    if not isinstance(config, dict):
        raise UnavailableError("npm told its configuration in a form that is not JSON.")
    return config


def _reason(done: Finished) -> str:
    return next(iter(complaints(done.errors)), f"exit code {done.code}").rstrip(".")


async def default_registry(environment: Mapping[str, str], *, timeout: float) -> str:
    """Return the registry that npm uses when no user, project or machine-wide file and no variable names one.

    Raises UnavailableError, as `list_config`.
    """
    rest = {key: value for key, value in environment.items() if not key.lower().startswith("npm_config_")}
    with tempfile.TemporaryDirectory(prefix="libreseed-npm-") as name:
        empty = Path(name)
        # Variables, because npm lets them win over its own flags here; two files, because it reads none twice.
        rest["npm_config_userconfig"] = str(empty / "user")
        rest["npm_config_globalconfig"] = str(empty / "global")
        config = await list_config(rest, empty, project=empty, timeout=timeout)
    registry = config.get("registry")
    if not isinstance(registry, str):
        raise UnavailableError("npm names no registry of its own.")
    return registry
