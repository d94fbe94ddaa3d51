"""What may be taken is in test_shared; here, the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from libreseed.modules.unpack import linker
from libreseed.modules.unpack.linker import take


@pytest.fixture
def entry(tmp_path):
    """An entry of the shared files with an executable and a folder."""
    files = tmp_path / "entry" / "files"
    (files / "lib").mkdir(parents=True)
    (files / "bin.js").write_text("1")
    (files / "bin.js").chmod(0o755)
    (files / "lib" / "é\n.js").write_text("2")
    (tmp_path / "entry" / "stamp").write_text("2")
    return tmp_path / "entry"


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): (path.read_text(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


WHOLE = {"bin.js": ("1", 0o755), "lib/é\n.js": ("2", 0o644)}


@pytest.mark.parametrize(("way", "same"), [("link", True), ("copy", False)])
def test_the_ways(entry, tmp_path, way, same):
    assert take(str(entry), str(tmp_path / "out"), way)
    assert contents(tmp_path / "out") == WHOLE
    assert os.path.samefile(entry / "files/bin.js", tmp_path / "out/bin.js") == same


@pytest.mark.parametrize("way", ["link", "copy"])
def test_nothing_is_left_of_what_was_written_to(entry, tmp_path, way):
    stamp = (entry / "stamp").stat().st_mtime_ns
    os.utime(entry / "files/bin.js", ns=(stamp, stamp + 1))
    assert not take(str(entry), str(tmp_path / "out"), way)
    assert not (tmp_path / "out").exists()


def test_the_process_answers_line_by_line(entry, tmp_path):
    jobs = [
        ["link", entry, tmp_path / "ö\n1", "copy", entry, tmp_path / "2"],
        ["link", tmp_path / "none", tmp_path / "3"],
    ]
    lines = [b" ".join(os.fsencode(word).hex().encode() for word in job) for job in jobs]
    program = [sys.executable, "-S", "-E", "-X", "utf8", Path(linker.__file__)]
    done = subprocess.run(program, input=b"\n".join([*lines, b""]), capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == [b"11", b"0"]
    assert contents(tmp_path / "ö\n1") == contents(tmp_path / "2") == WHOLE
    assert not (tmp_path / "3").exists()
