"""`libreseed demo` as a user starts it; what it shows is tested with its parts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]

COMMAND = [sys.executable, "-W", "error", "-m", "libreseed", "demo", "--upstream", "none"]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """Make `folder` the one for temporary files."""
    return {**os.environ, "TMPDIR": str(folder), **changes}


def demo(folder: Path, *options: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *options], env=environment(folder, **changes), capture_output=True, text=True, timeout=120
    )


def test_the_summary_is_json_alone_and_nothing_is_left(tmp_path):
    done = demo(tmp_path, "--json")
    summary = json.loads(done.stdout)
    assert done.returncode == 1, "without an upstream it is not complete"
    assert summary["complete"] is False
    assert [tarball["source"] for tarball in summary["installed"]] == ["swarm"]
    assert summary["upstream_requests"] == 0
    assert "What just happened" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_kept_when_asked_for(tmp_path):
    done = demo(tmp_path, "--keep")
    [folder] = tmp_path.iterdir()
    assert done.stdout.splitlines()[-1] == f"Kept: {folder}"
    assert (folder / "app" / "node_modules" / "@demo" / "greeting" / "index.js").is_file()


def test_without_npm_the_way_out_is_told(tmp_path):
    done = demo(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "node is not on the PATH" in done.stderr
    assert "Install Node.js" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "step"), [("SIGINT", "1 "), ("SIGINT", "5 "), ("SIGTERM", "2 "), ("SIGHUP", "5 ")])
def test_a_signal_ends_it_and_nothing_is_left(tmp_path, number, step):
    process = subprocess.Popen(
        COMMAND,
        env=environment(tmp_path, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        while not process.stdout.readline().startswith(step):
            assert process.poll() is None
        process.send_signal(signal.Signals[number])
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []
