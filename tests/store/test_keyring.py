from pathlib import Path

import pytest

from libreseed.errors import ConflictError, InvalidInputError, NotFoundError, StoreError
from libreseed.store.keyring import Keyring
from libreseed.trust.keys import PrivateKey

KEY = PrivateKey(bytes(32))


def test_the_default_key_is_made_once(tmp_path: Path) -> None:
    key = Keyring(tmp_path / "keys").default()
    assert Keyring(tmp_path / "keys").default() == key
    assert key != Keyring(tmp_path / "other").default()


def test_only_the_owner_reads_a_key(tmp_path: Path) -> None:
    Keyring(tmp_path).save("work", KEY)
    file = tmp_path / "work.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes() == b"00" * 32 + b"\n"


def test_list(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    assert keyring.list() == {}
    keyring.save("b.c", KEY)
    default = keyring.default()
    assert keyring.list() == {"b.c": KEY, "default": default}


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.save("work", KEY)
    keyring.save("work", KEY)
    with pytest.raises(ConflictError):
        keyring.save("work", PrivateKey.generate())
    assert keyring.load("work") == KEY


@pytest.mark.parametrize("text", [b"", b"00", b"zz" * 32, b"\xff" * 64, b"00" * 33])
def test_a_damaged_key_is_neither_used_nor_replaced(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "default.key"
    file.write_bytes(text)
    keyring = Keyring(tmp_path)
    for act in (keyring.default, lambda: keyring.save("default", KEY), keyring.list):
        with pytest.raises(StoreError, match=r"default\.key"):
            act()
    assert file.read_bytes() == text


def test_missing_key(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Keyring(tmp_path).load("work")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".x", "a" * 65, "a\n", "é"])
def test_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInputError):
        Keyring(tmp_path).save(name, KEY)
