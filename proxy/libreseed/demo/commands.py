"""Runs npm and Node as a user does, but with a configuration and cache of their own."""

import os
from dataclasses import dataclass
from pathlib import Path

from libreseed.errors import UnavailableError
from libreseed.npm import complaints, find_command, run_npm
from libreseed.processes import Finished, run

TIMEOUT = 120.0
"""Seconds that one command has."""

_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "proxy"})


@dataclass(frozen=True, slots=True)
class Npm:
    """npm with one registry. Its configuration and cache are in the folder `home`, which is made when it is missing."""

    registry: str
    home: Path

    def log_in(self, token: str) -> None:
        """Write the token of an account into the configuration."""
        host = self.registry.partition(":")[2]
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "npmrc").write_text(f"{host}/:_authToken={token}\n")

    async def run(self, folder: Path, *arguments: str) -> str:
        """Run npm in a project and return what it printed. Raises UnavailableError: it failed, and why."""
        return _output(await run_npm(arguments, folder, self._environment(), timeout=TIMEOUT))

    def _environment(self) -> dict[str, str]:
        # The user's settings for another registry, such as a minimum age or a proxy, must not apply to this one.
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.lower().startswith("npm_") and key.lower() not in _PROXIES
        }
        return kept | {
            "NODE_DISABLE_COMPILE_CACHE": "1",  # npm on Node 24 leaves one in the folder for temporary files
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


async def run_node(folder: Path, program: str) -> str:
    """Run a program in a folder with Node and return what it printed. Raises UnavailableError, as `Npm.run`."""
    return _output(await run([find_command("node"), program], folder, timeout=TIMEOUT))


def _output(done: Finished) -> str:
    if done.code:
        reason = " ".join(complaints(done.errors)[:3])
        raise UnavailableError(f"{done.title} failed: {reason or f'exit code {done.code}'}")
    return done.output
