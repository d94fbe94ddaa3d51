import os
import time
from pathlib import Path

import pytest

from libreseed.caching import drop_old, is_recent, keep, recall


@pytest.mark.parametrize(("age", "recent"), [(0.0, True), (50.0, True), (61.0, False), (-9.0, False), (-1e9, False)])
def test_what_was_noted_while_the_clock_was_ahead_is_not_recent(age: float, recent: bool) -> None:
    assert is_recent(time.time() - age, 60) is recent


def test_what_was_kept_is_recalled_under_the_same_key_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "cache.json"
    assert recall(file, "a") is None
    keep(file, ("a", 1), {"b": [2]})
    assert recall(file, ("a", 1)) == {"b": [2]}
    assert recall(file, ("a", 2)) is None
    keep(file, ("a", 2), 3)
    assert recall(file, ("a", 1)) is None
    assert [path.name for path in file.parent.iterdir()] == ["cache.json"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"key": "\'a\'"}'])
def test_what_is_no_cache_is_no_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert recall(tmp_path / "file", "a") is None


def test_a_cache_that_cannot_be_written_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    keep(tmp_path / "file", "a", 1)
    assert recall(tmp_path / "file", "a") is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_kept_long_ago_is_dropped(tmp_path: Path) -> None:
    for name, age in (("old", 101), ("new", 99)):
        keep(tmp_path / "folder" / name, "a", 1)
        os.utime(tmp_path / "folder" / name, (time.time() - age,) * 2)
    drop_old(tmp_path / "folder", 100)
    assert os.listdir(tmp_path / "folder") == ["new"]
    drop_old(tmp_path / "none", 100)
