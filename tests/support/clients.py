"""Real npm clients for the tests, each with its own configuration and empty caches."""

import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.lockfiles import NPM, lock_file, manifest
from support.nodes import NodeProcess, request
from support.terminal import Terminal

TIMEOUT = 600
PINNED: Mapping[str, str] = {
    "bun@1": "bun@1.4.5",
    "deno@2": "deno@2.9.6",
    "node@18": "node@18.20.8",
    "node@20": "node@20.20.2",
    "node@22": "node@22.23.3",
    "node@24": "node@24.21.0",
    "node@26": "node@26.10.0",
    "npm@10": "npm@10.9.9",
    "npm@11": "npm@11.21.2",
    "npm@12": "npm@12.2.2",
    "pnpm@11": "pnpm@11.28.11",
    "pnpm@12": "pnpm@12.21.0",
    "tsc@5": "typescript@5.9.3",
    "tsc@7": "typescript@7.0.2",
    "yarn@1": "yarn@1.22.22",
    "yarn@4": "@yarnpkg/cli-dist@4.18.1",
}
"""The tools of the tests, and the npm packages that they come from: such as have few dependencies."""


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


def write_locked(folder: Path, project: str, registry: str = "", **files: str) -> Path:
    """Write a project of tests/support/locks with npm's lock file, and further files. `registry`: see `lock_file`."""
    return write_project(folder, manifest(project), **{NPM: lock_file(project, registry=registry)}, **files)


def tool(spec: str) -> Path:
    """Return a command such as `pnpm@12`, whose npm package is installed once a machine below the user's cache.

    It comes from the registry that npm is configured with, in the version that `PINNED` has of it.
    """
    package = PINNED.get(spec, spec)
    assert package.count(".") == 2, f"{package} is no exact version"
    return _installed(package.replace("/", "-"), {}, package) / "node_modules" / ".bin" / spec.partition("@")[0]


def tools(project: str) -> Path:
    """Return a folder with a project of tests/support/locks, installed once a machine below the user's cache."""
    lock = lock_file(project)
    digest = hashlib.sha256(lock.encode()).hexdigest()
    return _installed(f"{project}-{digest[:12]}", {NPM: lock, "package.json": json.dumps(manifest(project))})


def _installed(label: str, files: Mapping[str, str], *specs: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "libreseed-tests" / label
    done = folder / "done"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for name, text in ({"package.json": "{}"} | dict(files)).items():
                (folder / name).write_text(text)
            run(["npm", "install" if specs else "ci", "--no-audit", "--no-fund", *specs], folder)
            done.touch()
    return folder
