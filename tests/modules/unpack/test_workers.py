import asyncio
import hashlib
import os
import signal
from pathlib import Path

import pytest

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.modules.unpack.workers import Link, Workers


def started(program):
    """Return the processes of ours that run a program."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            parent = (process / "status").read_text().partition("PPid:\t")[2].partition("\n")[0]
        except OSError:  # it has ended
            continue
        if int(parent) == os.getpid() and any(word.endswith(f"/{program}".encode()) for word in words):
            found.append(int(process.name))
    return sorted(found)


@pytest.fixture
def packed(tmp_path, tarball):
    data = tarball(("package/a", b"1"))
    (tmp_path / "t.tgz").write_bytes(data)
    return tmp_path / "t.tgz", hashlib.sha512(data).digest()


async def test_jobs_are_done_side_by_side_and_each_learns_its_own_outcome(tmp_path, packed):
    file, digest = packed
    async with Workers() as workers:
        right = [workers.unpack(file, digest, f"{tmp_path}/right{number}") for number in range(10)]
        wrong = [workers.unpack(file, bytes(64), f"{tmp_path}/wrong{number}") for number in range(10)]
        mixed = [job for pair in zip(right, wrong, strict=True) for job in pair]
        outcomes = await asyncio.gather(*mixed, return_exceptions=True)
    assert outcomes[::2] == [file.stat().st_size] * 10
    assert all(isinstance(outcome, IntegrityError) for outcome in outcomes[1::2])
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [f"right{n}" for n in range(10)]


async def test_what_the_disk_refuses_is_said(tmp_path, packed):
    async with Workers() as workers:
        with pytest.raises(StoreError, match="none"):
            await workers.unpack(tmp_path / "none", bytes(64), f"{tmp_path}/out")


async def test_a_process_that_ends_is_one_clear_error(tmp_path, packed):
    file, digest = packed
    async with Workers() as workers:
        await workers.unpack(file, digest, f"{tmp_path}/zero")
        for process in started("unpacker.py"):
            os.kill(process, signal.SIGKILL)
        with pytest.raises(UnavailableError, match="has ended"):
            await workers.unpack(file, digest, f"{tmp_path}/one")
        with pytest.raises(UnavailableError, match="has ended"):
            await workers.unpack(file, digest, f"{tmp_path}/two")


async def test_no_process_outlives_its_owner(tmp_path, packed):
    async with Workers() as workers:
        workers.expect_links()
        await workers.unpack(*packed, f"{tmp_path}/out")
        assert await workers.link([Link("copy", f"{tmp_path}/none", f"{tmp_path}/linked")]) == [False]
        processes = [started("unpacker.py"), started("linker.py")]
    assert [len(pool) for pool in processes] == [min(os.cpu_count() or 1, 8)] * 2
    assert started("unpacker.py") == started("linker.py") == []
