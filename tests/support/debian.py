"""Programs that tests need beside Node's, installed from Debian when the machine has none."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def program(package: str, *names: str) -> str:
    """Return the path of a program, the first of `names` that is there, else from Debian's `package`."""
    lock = Path(tempfile.gettempdir(), "libreseed-tests-apt.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not any(map(shutil.which, names)):
            if os.getuid() != 0:
                pytest.fail(f"This test needs {names[0]}: sudo apt-get install {package}")
            for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
                subprocess.run(["apt-get", "-qq", *command], check=True, capture_output=True, timeout=240)
    return next(path for path in map(shutil.which, names) if path)
