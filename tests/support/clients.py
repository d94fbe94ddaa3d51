"""Real npm clients for the tests, each with its own configuration and empty caches."""

import fcntl
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.nodes import NodeProcess, request
from support.terminal import Terminal

TIMEOUT = 600


class Npm:
    """npm with a user configuration and cache of its own. `registry` is a node, `command` a certain npm."""

    def __init__(self, folder: Path, node: NodeProcess, command: Path | str = "npm") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.node = node
        self._command = str(command)
        self._folder = folder
        self._caches = 0
        self._config = folder / "npmrc"
        self._write_config()

    def _write_config(self, *lines: str) -> None:
        common = (
            f"registry={self.node.url}/",
            "replace-registry-host=always",
            "omit-lockfile-registry-resolved=false",
            "audit=false",
            "fund=false",
            "update-notifier=false",
            "fetch-retries=0",
        )
        self._config.write_text("\n".join((*common, *lines)) + "\n")
        self.clear_cache()

    def clear_cache(self) -> None:
        """Take a new, empty cache from now on."""
        self._caches += 1

    def log_in(self, user: str = "ann") -> None:
        """Make an account, or log in to it, and write the token where npm finds it."""
        answer = request(
            "PUT",
            f"{self.node.url}/-/user/org.couchdb.user:{user}",
            body={"name": user, "password": "correct horse"},
        )
        assert answer.status == 201, answer.body
        self.use_token(answer.json()["token"])

    def use_token(self, token: str) -> None:
        """Write a token where npm finds it."""
        self._write_config(f"{self.node.url.removeprefix('http:')}/:_authToken={token}")

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.lower().startswith("npm_config_")}
        return {
            **kept,
            "npm_config_userconfig": str(self._config),
            "npm_config_globalconfig": str(self._folder / "none"),
            "npm_config_cache": str(self._folder / f"cache{self._caches}"),
        }

    def run(self, project: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run npm in a project."""
        return run([self._command, *arguments], project, self.environment, check=check)

    def terminal(self, project: Path, *arguments: str) -> Terminal:
        """Run npm in a terminal, to answer what it asks."""
        return Terminal([self._command, *arguments], project, self.environment)

    def start(self, project: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start npm and return at once."""
        return subprocess.Popen(
            [self._command, *arguments],
            cwd=project,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command; with `check` it must succeed, and its output is shown when it does not."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def write_project(folder: Path, manifest: dict[str, Any], **files: str) -> Path:
    """Write a package.json and further files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(manifest))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def tool(spec: str) -> Path:
    """Return the command of an npm package such as `pnpm@12`, installed once a machine below the user's cache.

    It comes from the registry that npm is configured with.
    """
    name, _, version = spec.rpartition("@")
    return tools(f"{name}-{version}", spec) / "node_modules" / ".bin" / name


def tools(label: str, *specs: str, overrides: Mapping[str, str] | None = None) -> Path:
    """Return a folder with npm packages in its node_modules, installed once a machine below the user's cache.

    `overrides`: npm's, for dependencies that not every registry has.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "libreseed-tests" / label
    done = folder / "done.json"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or json.loads(done.read_text()) != list(specs):
            (folder / "package.json").write_text(json.dumps({"overrides": dict(overrides or {})}))
            run(["npm", "install", "--no-audit", "--no-fund", *specs], folder)
            done.write_text(json.dumps(specs))
    return folder
