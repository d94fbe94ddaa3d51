import hashlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from libreseed.errors import IntegrityError
from libreseed.modules.unpack import linker
from libreseed.modules.unpack.shared import UNUSED, Shared, open_shared, prune, take_package
from support.debian import program


@pytest.fixture
def cloning(tmp_path):
    """A folder on a file system of its own that clones files."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a file system")
    image, folder = tmp_path / "image", tmp_path / "mounted"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run([program("btrfs-progs", "mkfs.btrfs"), "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def put(tmp_path, tarball):
    """Put the same package into another folder each time, and return that."""
    data = tarball(("package/package.json", b"{}"), ("package/lib/index.js", b"1"))
    (tmp_path / "t.tgz").write_bytes(data)
    numbers = iter(range(9))

    def put():
        target = tmp_path / f"out{next(numbers)}"
        take_package(
            Shared(tmp_path / "shared", "link"), f"{tmp_path}/t.tgz", hashlib.sha512(data).digest(), str(target)
        )
        return target

    return put


def test_projects_share_the_files(put, tmp_path):
    one, two = put(), put()
    assert os.path.samefile(one / "lib/index.js", two / "lib/index.js")
    (tmp_path / "t.tgz").unlink()
    assert (put() / "lib/index.js").read_bytes() == b"1"


def test_links_are_taken_where_they_can_be_had(tmp_path):
    shared = open_shared(tmp_path / "cache/shared", tmp_path)
    assert shared is not None
    assert shared.way in ("link", "clone")
    assert os.listdir(tmp_path) == ["cache"]
    assert os.listdir(shared.folder) == []


def test_another_file_system_shares_nothing(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert os.stat(other).st_dev != os.stat(tmp_path).st_dev
        assert open_shared(tmp_path / "shared", Path(other)) is None


def test_a_cache_that_cannot_be_made_shares_nothing(tmp_path):
    (tmp_path / "shared").write_text("a file")
    assert open_shared(tmp_path / "shared", tmp_path) is None


def test_where_files_can_be_cloned_projects_do_not_share_edits(cloning, tarball):
    data = tarball(("package/package.json", b"{}"), ("package/bin.js", b"1"), mode=0o755)
    (cloning / "t.tgz").write_bytes(data)
    shared = open_shared(cloning / "shared", cloning)
    assert shared is not None
    assert shared.way == "clone"
    for name in ("one", "two", "three"):
        take_package(shared, f"{cloning}/t.tgz", hashlib.sha512(data).digest(), f"{cloning}/{name}")
        (cloning / "t.tgz").unlink(missing_ok=True)
        assert (cloning / name / "bin.js").read_bytes() == b"1"
        assert (cloning / name / "bin.js").stat().st_mode & 0o777 == 0o755
        (cloning / name / "bin.js").write_bytes(b"2")


def test_entries_that_are_not_used_are_removed_once_a_day(put, tmp_path):
    put()
    shared = Shared(tmp_path / "shared", "link")
    (entry,) = shared.folder.glob("??/*")
    assert prune(shared) == 0
    long_ago = time.time() - UNUSED - 60
    os.utime(entry, (long_ago, long_ago))
    assert prune(shared) == 0, "looked already today"
    os.utime(shared.folder / "pruned", (long_ago, long_ago))
    put()
    assert prune(shared) == 0, "is in use again"
    os.utime(entry, (long_ago, long_ago))
    os.utime(shared.folder / "pruned", (long_ago, long_ago))
    assert prune(shared) == 1
    assert not entry.exists()
    assert (put() / "lib/index.js").read_bytes() == b"1"


def test_what_was_written_to_in_one_project_does_not_get_into_the_next(put):
    one = put()
    stamp = os.stat(one / "lib/index.js").st_mtime_ns
    (one / "lib/index.js").write_bytes(b"2")
    os.utime(one / "lib/index.js", ns=(stamp, stamp + 10**9))
    two = put()
    assert (two / "lib/index.js").read_bytes() == b"1"
    assert os.path.samefile(two / "lib/index.js", put() / "lib/index.js")


def test_an_entry_that_lacks_a_file_is_made_anew(put, tmp_path):
    put()
    (missing,) = (tmp_path / "shared").rglob("index.js")
    missing.unlink()
    assert (put() / "lib/index.js").read_bytes() == b"1"


def test_where_links_are_refused_the_files_are_copies(put, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError("cross-device link")

    monkeypatch.setattr(linker.os, "link", refuse)
    one, two = put(), put()
    assert (two / "lib/index.js").read_bytes() == b"1"
    assert not os.path.samefile(one / "lib/index.js", two / "lib/index.js")


def test_wrong_bytes_get_nowhere(tmp_path, tarball):
    (tmp_path / "t.tgz").write_bytes(tarball(("package/a", b"1")))
    with pytest.raises(IntegrityError):
        take_package(Shared(tmp_path / "shared", "link"), f"{tmp_path}/t.tgz", bytes(64), f"{tmp_path}/out")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "shared").rglob("a"))


async def test_an_install_shares_all_but_packages_with_scripts(run_install, registry, project, tmp_path):
    registry.add("a")
    registry.add("builds", scripts={"install": "true"})
    await run_install("a", "builds", shared=tmp_path / "shared")
    assert (project.tree / "a/index.js").stat().st_nlink == 2
    assert (project.tree / "builds/index.js").stat().st_nlink == 1
