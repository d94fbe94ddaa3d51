import os
from pathlib import Path

import pytest

from libreseed.errors import StoreError
from libreseed.store.files import write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file"
    write_atomically(file, b"one")
    before = file.stat().st_ino
    with file.open("rb") as reader:
        write_atomically(file, b"two", 0o600)
        assert reader.read() == b"one", "who reads meanwhile sees the old one, not a part of the new"
    assert file.read_bytes() == b"two"
    assert file.stat().st_ino != before
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("")
    with pytest.raises(StoreError, match="Cannot write"):
        write_atomically(tmp_path / "folder", b"data")
    assert os.listdir(tmp_path) == ["folder"]
    with pytest.raises(StoreError):
        write_atomically(tmp_path / "folder" / "kept" / "file", b"data")
