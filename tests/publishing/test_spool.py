import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from libreseed.errors import InvalidInputError, StoreError
from libreseed.packages.integrity import sha512
from libreseed.packages.longtexts import LONG
from libreseed.publishing import spool as module
from libreseed.publishing.spool import PublishSpool
from libreseed.store.blobs import BlobStore

DATA = bytes(range(256)) * (LONG // 128)


@pytest.fixture
async def blobs(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path)
    await store.open()
    return store


@pytest.fixture
async def spool(blobs: BlobStore, tmp_path: Path) -> AsyncIterator[PublishSpool]:
    async with PublishSpool(blobs) as opened:
        yield opened
    assert list((tmp_path / "incoming").iterdir()) == [], "nothing is left"


async def read(spool: PublishSpool, body: Any, size: int = 50_000) -> Any:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    for start in range(0, len(text), size):
        await spool.add(text[start : start + size])
    return await spool.read()


async def test_a_small_body_stays_in_memory(spool: PublishSpool, tmp_path: Path) -> None:
    body = {"a": "é\n", "data": base64.b64encode(DATA[:1000]).decode()}
    assert await read(spool, body, 7) == body
    assert (spool.tarballs, spool.files) == ({}, {})


@pytest.mark.parametrize("cut", [0, 1, 2])
async def test_a_large_tarball_goes_to_a_file(spool: PublishSpool, cut: int) -> None:
    data = DATA[: len(DATA) - cut]
    body = await read(spool, {"data": base64.b64encode(data).decode(), "length": len(data)})
    tarball = spool.tarballs[body["data"]]
    assert (tarball.digest, tarball.length, body["length"]) == (sha512(data), len(data), len(data))
    assert tarball.shasum == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert spool.files[tarball.digest].read_bytes() == data
    with tarball.open() as stream:
        assert stream.read() == data


@pytest.mark.parametrize("spoil", ["!", "=", "AA==", "A", "\\n", "é"])
async def test_what_is_not_base64(spool: PublishSpool, spoil: str) -> None:
    text = "AAAA" * (LONG // 2)
    with pytest.raises(InvalidInputError):
        await read(spool, f'{{"data":"{text[: LONG + 8]}{spoil}{text}"}}'.encode())


async def test_base64_that_ends_early(spool: PublishSpool) -> None:
    with pytest.raises(InvalidInputError):
        await read(spool, {"data": "A" * (LONG * 2 + 1)})


async def test_one_tarball_a_publish(spool: PublishSpool) -> None:
    with pytest.raises(InvalidInputError, match="one large attachment"):
        await read(spool, ["A" * (2 * LONG)] * 2)


@pytest.mark.parametrize(("start", "filler"), [(b'{"a":', b" "), (b'"', b"A"), (b"{", b""), (b"[", b"[")])
async def test_what_is_not_json(spool: PublishSpool, start: bytes, filler: bytes) -> None:
    with pytest.raises(InvalidInputError):
        await read(spool, start + filler * 2 * LONG)


async def test_more_than_a_document_beside_the_tarball(spool: PublishSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOCUMENT_LIMIT", LONG)
    with pytest.raises(InvalidInputError, match="more than 1 MiB beside"):
        await read(spool, ["A" * 1000] * (2 * LONG // 1000))


async def test_a_disk_that_fails(spool: PublishSpool, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "incoming_dir", lambda: Path("/nowhere"))
    with pytest.raises(StoreError, match="Cannot write /nowhere/tarball"):
        await read(spool, {"data": base64.b64encode(DATA).decode()})


async def test_a_disk_that_is_full(blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "incoming" / "full"
    folder.mkdir()
    (folder / "tarball").symlink_to("/dev/full")
    monkeypatch.setattr(blobs, "incoming_dir", lambda: folder)
    with pytest.raises(StoreError, match="No space left"):
        async with PublishSpool(blobs) as spool:
            await read(spool, {"data": base64.b64encode(DATA).decode()})
    assert not folder.exists()
