import subprocess
import sys
from pathlib import Path

import pytest

from libreseed.errors import StoreError
from libreseed.store.rootlock import RootLock


def test_one_at_a_time(tmp_path: Path) -> None:
    state = tmp_path / "root" / ".libreseed"
    with RootLock(state):
        with pytest.raises(StoreError, match="Another LibreSeed is running"), RootLock(state):
            pass
        with RootLock(state, needed=False), RootLock(tmp_path / "other"):
            pass
    with RootLock(state):
        pass


def test_another_process(tmp_path: Path) -> None:
    """The system takes the lock from a process that ends, however it ends."""
    code = (
        "import sys; from pathlib import Path; from libreseed.store.rootlock import RootLock\n"
        "with RootLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StoreError), RootLock(tmp_path):
            pass
        process.kill()
    with RootLock(tmp_path):
        pass


def test_no_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot use"), RootLock(tmp_path / "file" / "x"):
        pass


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    with RootLock(tmp_path / "state", needed=False):
        pass
    assert not (tmp_path / "state").exists()
