import asyncio
import os
from pathlib import Path

import aiohttp
import orjson
import pytest

from libreseed.config import Settings
from libreseed.packages.integrity import format_integrity, sha512
from support.packages import make_tarball
from support.running import StartNode, asked, offer
from upstream.fake_registry import Drop, FakeRegistry, Hang, Reply

PATH = "/pkg/-/pkg-1.0.0.tgz"
LARGE = os.urandom(3 << 20)


def stored(root: Path) -> list[Path]:
    """The files in the store, half-written ones included."""
    return [path for path in Settings(root / "node").swarm_dir.rglob("*") if path.is_file()]


def blobs(root: Path) -> set[bytes]:
    return {path.read_bytes() for path in stored(root) if path.parent.parent.name == "blobs"}


async def test_twenty_cold_clients_fetch_once(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0", filler=LARGE)
    node = await start_node(upstream=upstream.url)
    answers = await asyncio.gather(*(node.get(PATH) for _ in range(20)))
    assert {answer.body for answer in answers} == {tarball}
    assert asked(upstream, PATH) == 1


@pytest.mark.parametrize("known_by", ["packument", "lock file", "old shasum"])
@pytest.mark.parametrize("size", ["small", "large"])
async def test_other_bytes_than_promised_are_never_stored(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, known_by: str, size: str
) -> None:
    filler = LARGE if size == "large" else b""
    tarball = offer(upstream, "pkg", "1.0.0", filler=filler)
    if known_by == "old shasum":
        reply = upstream.script["/pkg"][0]
        assert isinstance(reply, Reply)
        packument = orjson.loads(reply.body)
        del packument["versions"]["1.0.0"]["dist"]["integrity"]
        upstream.on("/pkg", Reply(body=orjson.dumps(packument)))
    wrong = make_tarball("pkg", "1.0.0", filler + b"!")
    upstream.on(PATH, Reply(body=wrong))
    node = await start_node(upstream=upstream.url, share=False)
    headers = {"pacote_integrity": format_integrity(sha512(tarball))} if known_by == "lock file" else {}
    if known_by != "lock file":
        assert (await node.get("/pkg")).status == 200
    if size == "small":
        answer = await node.get(PATH, **headers)
        assert (answer.status, answer.source) == (503, "store")
        assert "is required; it was not stored" in answer.json()["error"]
    else:
        with pytest.raises(aiohttp.ClientPayloadError):
            await node.get(PATH, **headers)
    assert stored(tmp_path) == []
    upstream.on(PATH, Reply(body=tarball))
    assert (await node.get(PATH, **headers)).body == tarball


@pytest.mark.parametrize("size", [1000, len(LARGE)])
async def test_a_truncated_tarball_is_never_stored(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, size: int
) -> None:
    upstream.on(PATH, Reply(body=LARGE[: size // 2], length=size))
    node = await start_node(upstream=upstream.url)
    if size == 1000:
        assert (await node.get(PATH)).status == 503
    else:
        with pytest.raises(aiohttp.ClientPayloadError):
            await node.get(PATH)
    assert stored(tmp_path) == []
    upstream.on(PATH, Reply(body=LARGE[:size]))
    assert (await node.get(PATH)).body == LARGE[:size]


async def test_a_large_tarball_streams_through_while_it_is_stored(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LARGE)}\r\n\r\n".encode()
    upstream.on(PATH, Hang(head + LARGE[: 1 << 20]), Reply(body=LARGE))
    node = await start_node(upstream=upstream.url)
    async with node.open("GET", PATH) as response:
        assert response.headers["X-Libreseed-Source"] == "upstream"
        got = await response.content.readexactly((1 << 20) - 1)
        assert got == LARGE[: (1 << 20) - 1], "the client has a third although the upstream sent no more"
        assert blobs(tmp_path) == set()
        upstream.release.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert stored(tmp_path) == []
    assert (await node.get(PATH)).body == LARGE
    assert blobs(tmp_path) == {LARGE}


async def test_a_client_that_leaves_does_not_stop_the_fetch(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(PATH, Reply(body=LARGE, pause=0.3))
    node = await start_node(upstream=upstream.url)
    client = asyncio.ensure_future(node.get(PATH))
    async with asyncio.timeout(10):
        await upstream.asked.wait()
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    assert (await node.get(PATH)).body == LARGE
    assert asked(upstream, PATH) == 1


@pytest.mark.parametrize(("answer", "status"), [(Reply(404), 404), (Reply(500), 503), (Drop(), 503)])
async def test_what_the_upstream_does_not_have(
    start_node: StartNode, upstream: FakeRegistry, answer: Reply, status: int
) -> None:
    upstream.on(PATH, answer)
    node = await start_node(upstream=upstream.url)
    for headers in ({}, {"pacote_integrity": format_integrity(sha512(LARGE))}):
        got = await node.get(PATH, **headers)
        assert (got.status, got.source) == (status, "store")


async def test_the_packument_says_where_a_tarball_is(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    reply = upstream.script["/pkg"][0]
    assert isinstance(reply, Reply)
    upstream.on("/pkg", Reply(body=reply.body.replace(b"/pkg/-/pkg-1.0.0.tgz", b"/files/x.tgz")))
    upstream.on("/files/x.tgz", Reply(body=tarball))
    upstream.on(PATH, Reply(404))
    node = await start_node(upstream=upstream.url)
    await node.get("/pkg")
    assert (await node.get(PATH)).body == tarball
    assert (await node.get("/pkg/-/x.tgz")).body == tarball


async def test_the_same_bytes_under_two_names_are_kept_once(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    for path in (PATH, "/fork/-/fork-1.0.0.tgz"):
        upstream.on(path, Reply(body=b"the same" * 9))
    node = await start_node(upstream=upstream.url)
    for path in (PATH, "/fork/-/fork-1.0.0.tgz"):
        assert (await node.get(path)).body == b"the same" * 9
    assert len(stored(tmp_path)) == 1


async def test_what_is_stored_needs_nobody(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    await node.get(PATH)
    await node.stop()
    offline = await start_node()
    answer = await offline.get(PATH)
    assert (answer.body, answer.source) == (tarball, "store")


async def test_stopping_in_the_middle(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.on(PATH, Hang())
    node = await start_node(upstream=upstream.url)
    asking = asyncio.create_task(node.get(PATH))
    await upstream.asked.wait()
    await node.stop()
    assert (await asking).status == 503
    assert stored(tmp_path) == []
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("filler", [b"", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_damaged_file_is_fetched_again(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, filler: bytes, restarted: bool
) -> None:
    tarball = offer(upstream, "pkg", "1.0.0", filler=filler)
    node = await start_node(upstream=upstream.url)
    assert (await node.get(PATH)).status == 200
    [file] = (tmp_path / "node/.libreseed_modules/.swarm/blobs").glob("??/*")
    for damage in (tarball[:-1], bytes(len(tarball))):
        file.write_bytes(damage)
        if restarted:
            await node.stop()
            node = await start_node(upstream=upstream.url)
        answers = await asyncio.gather(*(node.get(PATH) for _ in range(5)))
        assert [answer.body for answer in answers] == [tarball] * 5
        assert file.read_bytes() == tarball
    assert asked(upstream, PATH) == 3


async def test_a_damaged_file_that_nobody_has_is_503(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    assert (await node.get(PATH)).status == 200
    [file] = (tmp_path / "node/.libreseed_modules/.swarm/blobs").glob("??/*")
    file.write_bytes(b"damaged")
    upstream.on(PATH, Reply(500))
    assert (await node.get(PATH)).status == 503
    assert not file.exists()
