import errno
import os
import stat
from pathlib import Path

import pytest

from libreseed.errors import IntegrityError, StoreError
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore, Condition, hash_file

DATA = b"some bytes"
DIGEST = sha512(DATA)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def reads_without_waiting(file: Path) -> bool:
    """Tell whether the system reads a file of this file system only if that needs no disk; tmpfs and macOS cannot."""
    with file.open("rb") as stream:
        try:
            return os.preadv(stream.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT) == 1
        except (OSError, AttributeError):
            return False


async def test_nobody_else_can_read_what_is_restricted(blobs: BlobStore) -> None:
    assert stat.S_IMODE(blobs.folder.parent.stat().st_mode) == 0o700


async def test_add(blobs: BlobStore, tmp_path: Path) -> None:
    assert not blobs.has(DIGEST)
    path = blobs.add(DATA, DIGEST)
    assert (path, path.read_bytes()) == (blobs.path(DIGEST), DATA)
    assert path.name == DIGEST.hex()
    assert blobs.has(DIGEST)
    assert files(tmp_path) == [path]
    assert blobs.add(DATA, DIGEST) == path
    assert list(blobs.digests()) == [DIGEST]


async def test_wrong_bytes_leave_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="was expected"):
        blobs.add(b"other", DIGEST)
    assert not blobs.has(DIGEST)
    assert files(tmp_path) == []


def test_adopt(blobs: BlobStore, tmp_path: Path) -> None:
    folder = blobs.incoming_dir()
    (folder / "x").write_bytes(DATA)
    blobs.adopt(folder / "x", DIGEST)
    assert not folder.exists()
    assert files(tmp_path) == [blobs.path(DIGEST)]


def test_wrong_file_is_not_adopted(blobs: BlobStore) -> None:
    folder = blobs.incoming_dir()
    (folder / "x").write_bytes(b"other")
    with pytest.raises(IntegrityError):
        blobs.adopt(folder / "x", DIGEST)
    assert not blobs.has(DIGEST)
    with pytest.raises(StoreError, match="missing"):
        blobs.adopt(folder / "missing", DIGEST)


async def test_what_was_half_written_is_gone_after_a_restart(blobs: BlobStore, tmp_path: Path) -> None:
    kept = blobs.add(DATA, DIGEST)
    (blobs.incoming_dir() / "blob").write_bytes(DATA[:3])
    await BlobStore(tmp_path / ".swarm").open()
    assert files(tmp_path) == [kept]


async def test_verify_and_remove(blobs: BlobStore) -> None:
    path = blobs.add(DATA, DIGEST)
    blobs.verify(DIGEST)
    path.write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        blobs.verify(DIGEST)
    blobs.remove(DIGEST)
    blobs.remove(DIGEST)
    with pytest.raises(StoreError):
        blobs.verify(DIGEST)


async def test_foreign_files_are_passed_over(blobs: BlobStore) -> None:
    """Desktops and backups leave files of their own everywhere."""
    path = blobs.add(DATA, DIGEST)
    (path.parent / ".DS_Store").write_bytes(b"")
    (path.parent / "abcd").write_bytes(b"")
    (path.parent.parent / "README").write_bytes(b"")
    assert list(blobs.digests()) == [DIGEST]


async def test_no_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = BlobStore(tmp_path / "file")
    with pytest.raises(StoreError):
        await store.open()
    with pytest.raises(StoreError):
        store.incoming_dir()
    with pytest.raises(StoreError):
        store.add(DATA, DIGEST)


def test_hash_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        hash_file(tmp_path)


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"x", bytes(len(DATA))])
async def test_what_was_written_to_is_no_longer_intact(blobs: BlobStore, damage: bytes) -> None:
    path = blobs.add(DATA, DIGEST)
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.INTACT
    path.write_bytes(damage)
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.DAMAGED
    assert blobs.set_aside(DIGEST).read_bytes() == damage
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.GONE


async def test_what_was_only_touched_is_read_once_and_intact(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blobs.add(DATA, DIGEST)
    path.touch()
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.INTACT
    monkeypatch.setattr("libreseed.store.blobs.hash_file", None)
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.INTACT


async def test_small_blobs_are_at_hand_while_they_are_intact(blobs: BlobStore) -> None:
    assert blobs.cached(DIGEST, len(DATA)) is None
    path = blobs.add(DATA, DIGEST)
    assert blobs.cached(DIGEST, len(DATA)) == (DATA if reads_without_waiting(path) else None)
    assert blobs.cached(DIGEST, len(DATA) + 1) is None
    path.write_bytes(DATA[::-1])
    assert blobs.cached(DIGEST, len(DATA)) is None
    large = bytes(1 << 20)
    blobs.add(large, sha512(large))
    assert blobs.cached(sha512(large), len(large)) is None


async def test_what_is_gone_is_not_damaged(blobs: BlobStore) -> None:
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.GONE


async def test_what_cannot_be_told_is_not_guessed(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs.add(DATA, DIGEST)

    def fails(_: object) -> object:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("libreseed.store.blobs.os.stat", fails)
        with pytest.raises(StoreError, match="Input/output error"):
            await blobs.examine(DIGEST, len(DATA))
    assert await blobs.examine(DIGEST, len(DATA)) is Condition.INTACT


async def test_bytes_that_a_disk_changed_are_not_at_hand(blobs: BlobStore) -> None:
    path = blobs.add(DATA, DIGEST)
    times = path.stat()
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(times.st_mtime_ns, times.st_mtime_ns))
    assert blobs.cached(DIGEST, len(DATA)) is None
    if reads_without_waiting(path):
        assert await blobs.examine(DIGEST, len(DATA)) is Condition.DAMAGED
