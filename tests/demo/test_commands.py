import os
import sys
import time

import pytest

from libreseed.demo.commands import Npm, find_command, run_command
from libreseed.errors import UnavailableError


def test_without_npm_the_way_out_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError) as caught:
        find_command("npm")
    assert "npm is not on the PATH" in caught.value.message
    assert "Install Node.js" in caught.value.hint


async def test_the_users_configuration_does_not_reach_npm(monkeypatch, tmp_path):
    (tmp_path / "userconfig").write_text("before=2001-01-01\n")
    monkeypatch.setenv("npm_config_userconfig", str(tmp_path / "userconfig"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://elsewhere.test/")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:8080")
    npm = Npm("http://localhost:1", tmp_path / "home")
    assert (await npm.run(tmp_path, "config", "get", "registry", "before", "proxy")).splitlines() == [
        "registry=http://localhost:1",
        "before=null",
        "proxy=null",
    ]


async def test_the_token_goes_to_the_registry_alone(tmp_path):
    npm = Npm("http://localhost:4880", tmp_path / "home")
    npm.log_in("secret")
    assert (tmp_path / "home" / "npmrc").read_text() == "//localhost:4880/:_authToken=secret\n"


async def test_a_failure_is_told_in_npms_words(tmp_path):
    (tmp_path / "package.json").write_text("{}")
    npm = Npm("http://localhost:1", tmp_path / "home")
    with pytest.raises(UnavailableError, match=r"npm run nothing failed: Missing script") as caught:
        await npm.run(tmp_path, "run", "nothing")
    assert "complete log" not in str(caught.value)


async def test_a_failure_without_words_is_told_by_its_code(tmp_path):
    with pytest.raises(UnavailableError, match="failed: exit code 3"):
        await run_command([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


async def test_a_program_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UnavailableError, match="could not be started: No such file"):
        await run_command([str(tmp_path / "nothing")], tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
async def test_a_command_out_of_time_is_ended_with_all_that_it_started(tmp_path):
    child = tmp_path / "child"
    program = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(UnavailableError, match="was not done within 1 s"):
        await run_command([sys.executable, "-c", program], tmp_path, timeout=1)
    assert _ends(int(child.read_text()))


def _ends(pid: int) -> bool:
    """Tell whether a process is gone, or a zombie that init has yet to reap, within some seconds."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(") ")[2][0] == "Z":
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False
