import os
from pathlib import Path

import pytest

from libreseed.errors import ConflictError, StoreError
from libreseed.store.trustfile import TrustFile
from libreseed.trust.rules import TrustRules

A, B = b"a" * 32, b"b" * 32


def test_without_a_file_nobody_is_trusted(tmp_path: Path) -> None:
    assert TrustFile(tmp_path / "trust.json").rules() == TrustRules()


def test_a_change_by_another_process_is_seen_at_once(tmp_path: Path) -> None:
    running, command = (TrustFile(tmp_path / "state" / "trust.json") for _ in range(2))
    assert running.rules().publisher_of("pkg") is None
    command.change(lambda rules: rules.with_pin("pkg", A))
    assert running.rules().publisher_of("pkg") == A
    command.change(lambda rules: rules.without("pkg").with_pin("pkg", B))
    assert running.rules().publisher_of("pkg") == B
    running.path.unlink()
    assert running.rules() == TrustRules()


def test_without_a_change_it_is_not_read_again(tmp_path: Path) -> None:
    file = TrustFile(tmp_path / "trust.json")
    file.change(lambda rules: rules.with_pin("pkg", A))
    assert file.rules() is file.rules()


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b'{"pins": {"pkg": "x"}, "mirrors": []}'])
def test_a_broken_file_trusts_nobody_and_says_which_it_is(tmp_path: Path, text: bytes) -> None:
    file = TrustFile(tmp_path / "trust.json")
    file.change(lambda rules: rules.with_pin("pkg", A))
    file.path.write_bytes(text)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"trust\.json cannot be read"):
            file.rules()
    with pytest.raises(StoreError):
        file.change(lambda rules: rules)
    assert file.path.read_bytes() == text, "what the user wrote is not lost"


def test_a_file_that_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    for path in (tmp_path / "file" / "trust.json", tmp_path / "folder.json"):
        with pytest.raises(StoreError, match="cannot be read"):
            TrustFile(path).rules()


def test_a_refused_change_changes_nothing(tmp_path: Path) -> None:
    file = TrustFile(tmp_path / "trust.json")
    file.change(lambda rules: rules.with_pin("pkg", A))
    before = file.path.read_bytes()
    with pytest.raises(ConflictError):
        file.change(lambda rules: rules.with_pin("pkg", B))
    assert file.path.read_bytes() == before
    assert os.listdir(tmp_path) == ["trust.json"]
