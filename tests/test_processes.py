import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from libreseed.errors import UnavailableError
from libreseed.processes import Finished, run

posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups")


def with_child(pid_file: Path, then: str) -> list[str]:
    """Return a program that starts another one, which holds its pipes open for a minute, and goes on with `then`."""
    return [
        sys.executable,
        "-c",
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n" + then,
    ]


async def test_how_it_ended(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import os, sys\nprint(os.getcwd(), os.environ['NAME'], repr(sys.stdin.read()))\nsys.exit('because')\n"
    )
    program = [sys.executable, "program.py", "word", "--flag", "value"]
    done = await run(program, tmp_path, {**os.environ, "NAME": "value"}, timeout=60)
    title = f"{Path(sys.executable).stem} program.py word"
    assert done == Finished(title, 1, f"{tmp_path} value ''{os.linesep}", f"because{os.linesep}")


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nothing could not be started: No such file"):
        await run([str(tmp_path / "nothing")], timeout=60)


@posix
@pytest.mark.parametrize("then", ["time.sleep(60)", ""], ids=["it runs on", "it is gone before its child"])
async def test_out_of_time_it_is_ended_with_all_that_it_started(tmp_path: Path, then: str) -> None:
    with pytest.raises(UnavailableError, match="was not done within 1 s"):
        await run(with_child(tmp_path / "child", then), timeout=1)
    assert _ends(int((tmp_path / "child").read_text()))


@posix
async def test_cancelled_it_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    os.mkfifo(child)
    running = asyncio.create_task(run(with_child(child, "time.sleep(60)"), timeout=60))
    pid = int(await asyncio.to_thread(child.read_text))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _ends(pid)


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


@posix
def test_the_environment_as_it_is_under_uvloop() -> None:
    import uvloop

    done = uvloop.run(run([sys.executable, "-c", "print('started')"], environment=os.environ, timeout=60))
    assert done.output == "started\n"
