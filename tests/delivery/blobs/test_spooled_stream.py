import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libreseed.delivery.blobs.spooled_stream import SpooledStream, read_file
from libreseed.errors import StoreError, UnavailableError

DATA = bytes(range(256)) * 4096


@pytest.fixture
def complete(tmp_path: Path) -> Path:
    file = tmp_path / "complete"
    file.write_bytes(DATA)
    return file


async def collect(stream: SpooledStream) -> bytes:
    return b"".join([chunk async for chunk in stream.read()])


async def test_bytes_are_read_as_they_are_written(tmp_path: Path, complete: Path) -> None:
    stream = SpooledStream(tmp_path / "spool", len(DATA))
    reader = stream.read()
    await stream.write(DATA[:11])
    assert await anext(reader) == DATA[:10]
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    await stream.write(DATA[11:30])
    assert await waiting == DATA[10:29]
    await stream.write(DATA[30:])
    stream.finish(complete)
    stream.close()
    assert b"".join([chunk async for chunk in reader]) == DATA[29:]


async def test_readers_of_any_time_get_the_whole(tmp_path: Path, complete: Path) -> None:
    stream = SpooledStream(tmp_path / "spool", len(DATA))
    readers = [asyncio.create_task(collect(stream))]
    for at in range(0, len(DATA), 100_000):
        await stream.write(DATA[at : at + 100_000])
        readers.append(asyncio.create_task(collect(stream)))
        await asyncio.sleep(0)
    stream.finish(complete)
    stream.close()
    (tmp_path / "spool").unlink()
    readers.append(asyncio.create_task(collect(stream)))
    assert set(await asyncio.gather(*readers)) == {DATA}


async def test_another_may_finish_what_one_began(tmp_path: Path, complete: Path) -> None:
    stream = SpooledStream(tmp_path / "spool", len(DATA))
    await stream.write(DATA[:1000])
    reader = asyncio.create_task(collect(stream))
    await asyncio.sleep(0)
    stream.finish(complete)
    stream.close()
    assert await reader == DATA


async def test_wrong_bytes_are_not_taken_for_whole(tmp_path: Path) -> None:
    """All of them have come, then the checksum turns out wrong: whoever read along lacks the last one."""
    stream = SpooledStream(tmp_path / "spool", len(DATA))
    reader = stream.read()
    got = b""
    await stream.write(DATA)
    while len(got) < len(DATA) - 1:
        got += await anext(reader)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.fail(UnavailableError("wrong"))
    stream.close()
    with pytest.raises(UnavailableError, match="wrong"):
        await waiting


async def test_a_failure_reaches_every_reader(tmp_path: Path) -> None:
    stream = SpooledStream(tmp_path / "spool", None)
    await stream.write(DATA[:11])
    reader = stream.read()
    assert await anext(reader) == DATA[:10]
    stream.fail(UnavailableError("gone"))
    stream.close()
    with pytest.raises(UnavailableError, match="gone"):
        await anext(reader)
    with pytest.raises(UnavailableError, match="gone"):
        await collect(stream)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(start=st.integers(0, len(DATA)), end=st.none() | st.integers(0, len(DATA) + 9))
def test_parts_of_a_file(complete: Path, start: int, end: int | None) -> None:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in read_file(complete, start, end)])

    assert asyncio.run(read()) == DATA[start:end]


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Cannot read"):
        await anext(read_file(tmp_path / "gone"))
