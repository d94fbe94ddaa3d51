"""What was acknowledged is on the disk: a node goes on from nothing but what was flushed to it."""

import os
import shutil
from pathlib import Path

import pytest

from libreseed.config import Settings
from libreseed.store import blobs, durability
from support.packages import make_tarball
from support.running import StartNode

TARBALL = make_tarball("mine", "1.0.0")


class Disk:
    """Knows what of `root` would be left after a power cut: the bytes that were flushed, under the names that were."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        fsync = os.fsync

        def flushed(descriptor: int) -> None:
            fsync(descriptor)
            self._take(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

        monkeypatch.setattr(durability.os, "fsync", flushed)
        monkeypatch.setattr(blobs, "_flush", flushed)

    def survivors(self) -> dict[Path, bytes]:
        """The files that are left, by their path below the root."""
        return {
            (folder / name).relative_to(self._root): self._bytes[inode]
            for folder, names in self._names.items()
            for name, inode in names.items()
            if inode in self._bytes
        }

    def _take(self, path: Path) -> None:
        if path.is_dir():
            self._names[path] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self._bytes[path.stat().st_ino] = path.read_bytes()


async def test_what_was_acknowledged_survives_a_power_cut(
    start_node: StartNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "node", monkeypatch)
    node = await start_node()
    await node.log_in()
    assert (await node.publish("mine", "1.0.0", TARBALL)).status == 201
    token, survivors = node.token, disk.survivors()
    database = Settings(tmp_path / "node").database_file
    for path, data in survivors.items():
        (tmp_path / "cut" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cut" / path).write_bytes(data)
    # SQLite itself flushes the file beside the log whenever it moves something there.
    shutil.copy(database, tmp_path / "cut" / database.relative_to(tmp_path / "node"))
    await node.stop()
    left = await start_node("cut")
    left.token = token
    assert (await left.get("/-/whoami")).json() == {"username": "ann"}
    assert (await left.get("/mine")).json()["versions"].keys() == {"1.0.0"}
    assert (await left.get("/mine/-/mine-1.0.0.tgz")).body == TARBALL
