import asyncio
import hashlib
import os

import pytest

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.modules.unpack.workers import Workers


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
        for worker in workers._unpackers._workers:
            worker._process.kill()
        with pytest.raises(UnavailableError, match="has ended"):
            await workers.unpack(file, digest, f"{tmp_path}/one")
        with pytest.raises(UnavailableError, match="has ended"):
            await workers.unpack(file, digest, f"{tmp_path}/two")


async def test_no_process_outlives_its_owner():
    async with Workers() as workers:
        workers.expect_links()
        await workers._unpackers.start()
        pools = (workers._unpackers, workers._linkers)
    processes = [worker._process for pool in pools for worker in pool._workers]
    assert len(processes) == 2 * min(os.cpu_count() or 1, 8)
    assert all(process.returncode is not None for process in processes)
