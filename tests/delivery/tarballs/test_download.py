import asyncio
from pathlib import Path

import pytest

from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.delivery.tarballs.download import FoundTarball, SharedDownload
from libreseed.errors import IntegrityError, UnavailableError
from libreseed.packages.integrity import sha512


@pytest.fixture
def whole(tmp_path: Path) -> FoundTarball:
    (tmp_path / "whole").write_bytes(b"all of it")
    return FoundTarball("upstream", 9, tmp_path / "whole", None, sha512(b"all of it"))


async def read(found: FoundTarball) -> bytes:
    return b"".join([chunk async for chunk in found.read()])


async def test_what_is_whole_at_once(whole: FoundTarball) -> None:
    download = SharedDownload()
    waiting = [asyncio.create_task(wait()) for wait in (download.found, download.complete)]
    await asyncio.sleep(0)
    download.finish(whole)
    assert await asyncio.gather(*waiting) == [whole, whole]
    assert await read(whole) == b"all of it"


async def test_the_last_bytes_of_a_damaged_file_are_never_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libreseed.delivery.blobs.spooled_stream._CHUNK", 4)
    (tmp_path / "rotten").write_bytes(b"all of iT")
    found = FoundTarball("store", 9, tmp_path / "rotten", None, sha512(b"all of it"))
    sent = bytearray()
    with pytest.raises(IntegrityError):
        async for chunk in found.read():
            sent += chunk
    assert sent == b"all of i"


async def test_the_first_stream_is_read_and_the_winner_finishes_it(tmp_path: Path, whole: FoundTarball) -> None:
    download = SharedDownload()
    first, second = (SpooledStream(tmp_path / name, 9) for name in ("first", "second"))
    download.offer("swarm", first, b"digest")
    download.offer("upstream", second, b"digest")
    found = await download.found()
    assert (found.source, found.stream) == ("swarm", first)
    await first.write(b"all")
    reader = asyncio.create_task(read(found))
    await asyncio.sleep(0)
    download.release(second)
    download.release(first)
    download.finish(whole)
    assert await reader == b"all of it"
    assert await download.complete() == whole


async def test_a_failure(tmp_path: Path) -> None:
    download = SharedDownload()
    stream = download.offer("swarm", SpooledStream(tmp_path / "spool", 9), None)
    found = await download.found()
    download.fail(UnavailableError("gone"))
    assert (await download.found()) == found
    with pytest.raises(UnavailableError):
        await download.complete()
    with pytest.raises(UnavailableError):
        await read(found)
    assert stream.spool.exists()


async def test_a_failure_that_nobody_waits_for_makes_no_noise() -> None:
    SharedDownload().fail(UnavailableError("gone"))


async def test_one_who_leaves_takes_nobody_with_him(whole: FoundTarball) -> None:
    download = SharedDownload()
    leaver, stayer = (asyncio.create_task(download.found()) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.wait([leaver])
    download.finish(whole)
    assert await stayer == whole
