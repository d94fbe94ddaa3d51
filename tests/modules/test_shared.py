import hashlib
import os

import pytest

from libreseed.errors import IntegrityError
from libreseed.modules import shared as shared_module
from libreseed.modules.shared import link_package


@pytest.fixture
def put(tmp_path, tarball):
    """Put the same package into another folder each time, and return that."""
    data = tarball(("package/package.json", b"{}"), ("package/lib/index.js", b"1"))
    (tmp_path / "t.tgz").write_bytes(data)
    numbers = iter(range(9))

    def put():
        target = tmp_path / f"out{next(numbers)}"
        link_package(tmp_path / "shared", tmp_path / "t.tgz", hashlib.sha512(data).digest(), target)
        return target

    return put


def test_projects_share_the_files(put, tmp_path):
    one, two = put(), put()
    assert os.path.samefile(one / "lib/index.js", two / "lib/index.js")
    (tmp_path / "t.tgz").unlink()
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

    monkeypatch.setattr(shared_module.os, "link", refuse)
    one, two = put(), put()
    assert (two / "lib/index.js").read_bytes() == b"1"
    assert not os.path.samefile(one / "lib/index.js", two / "lib/index.js")


def test_wrong_bytes_get_nowhere(tmp_path, tarball):
    (tmp_path / "t.tgz").write_bytes(tarball(("package/a", b"1")))
    with pytest.raises(IntegrityError):
        link_package(tmp_path / "shared", tmp_path / "t.tgz", bytes(64), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "shared").rglob("a"))


async def test_an_install_shares_all_but_packages_with_scripts(run_install, registry, project, tmp_path):
    registry.add("a")
    registry.add("builds", scripts={"install": "true"})
    await run_install("a", "builds", shared=tmp_path / "shared")
    assert (project.tree / "a/index.js").stat().st_nlink == 2
    assert (project.tree / "builds/index.js").stat().st_nlink == 1
