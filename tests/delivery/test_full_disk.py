"""A disk without space keeps nobody from installing: what cannot be stored is passed on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import StartNode, asked, offer
from upstream.fake_registry import FakeRegistry, Reply

PATH = "/pkg/-/pkg-1.0.0.tgz"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The root of the node called `node`, on a file system of its own."""
    folder = tmp_path / "node"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    assert mounted.returncode == 0, f"This test mounts a tmpfs, so run it as root or in `unshare -rm`: {mounted.stderr}"
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    assert os.statvfs(disk).f_bavail == 0
    return filler


@pytest.mark.parametrize("told", [True, False], ids=["length", "no length"])
@pytest.mark.parametrize("filler", [b"", os.urandom(3 << 20)], ids=["small", "large"])
async def test_a_full_disk(
    small_disk: Path, start_node: StartNode, upstream: FakeRegistry, filler: bytes, told: bool
) -> None:
    kept = offer(upstream, "kept", "1.0.0", filler=b"kept")
    tarball = offer(upstream, "pkg", "1.0.0", filler=filler)
    upstream.on(PATH, Reply(body=tarball, length=None if told else -1))
    node = await start_node(upstream=upstream.url)
    for path in ("/kept", "/kept/-/kept-1.0.0.tgz"):
        assert (await node.get(path)).status == 200
    ballast = fill(small_disk)
    for number in (1, 2):
        assert set((await node.get("/pkg")).json()["versions"]) == {"1.0.0"}
        answer = await node.get(PATH)
        assert (answer.status, answer.source, answer.body) == (200, "upstream", tarball)
        assert asked(upstream, PATH) == number
    assert (await node.get("/kept/-/kept-1.0.0.tgz")).body == kept
    ballast.unlink()
    for source in ("upstream", "store"):
        assert (await node.get(PATH)).source == source
