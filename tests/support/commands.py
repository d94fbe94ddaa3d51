"""Commands as a user runs them in a project, with caches of their own."""

import os
import subprocess
import sys
from pathlib import Path


def libreseed(folder: Path, *arguments: str, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run our command line in a folder; `code` is how it must end."""
    done = _call([sys.executable, "-W", "error", "-m", "libreseed", *arguments], folder, environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def npm(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run npm in a folder."""
    done = _call(["npm", *arguments], folder, environment)
    assert done.returncode == 0, done.stderr
    return done


def _call(command: list[str], folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    caches = {"npm_config_cache": str(folder / "npm-cache"), "XDG_CACHE_HOME": str(folder / "cache")}
    env = {**os.environ, **caches, **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240)
