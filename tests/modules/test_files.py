import os
import sys

import pytest

from libreseed.modules.files import write_whole


def test_a_file_is_replaced_by_a_new_one(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"old")
    os.link(file, tmp_path / "b")
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert (tmp_path / "b").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_it_may_have_other_permissions(tmp_path):
    write_whole(tmp_path / "a", b"", mode=0o700)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
