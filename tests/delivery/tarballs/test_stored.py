"""A tarball's name stands for what somebody who is believed now says that it is, and its bytes are what was stored."""

import os
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from libreseed.errors import StoreError
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.store.blobs import _STAMP
from libreseed.store.trustfile import TrustFile
from libreseed.trust.keys import PrivateKey
from support.packages import make_tarball, manifest_of
from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import FakeRegistry, Reply

GOOD, OTHER = make_tarball("good", "1.0.0"), make_tarball("other", "1.0.0")
LARGE = os.urandom(3 << 20)


def path_of(name: str) -> str:
    return f"/{name}/-/{name}-1.0.0.tgz"


def swarm_dir(root: Path) -> Path:
    return root / "node/.libreseed_modules/.swarm"


def file_of(root: Path, tarball: bytes) -> Path:
    digest = sha512(tarball).hex()
    return swarm_dir(root) / "blobs" / digest[:2] / digest


async def published(start_node: StartNode, **settings: Any) -> Local:
    node = await start_node(**settings)
    await node.log_in()
    for name, tarball in (("good", GOOD), ("other", OTHER)):
        assert (await node.publish(name, "1.0.0", tarball)).status == 201
    return node


async def test_no_reader_can_give_a_name_to_other_bytes(start_node: StartNode) -> None:
    node = await published(start_node)
    demanded = await node.get(path_of("good"), pacote_integrity=format_integrity(sha512(OTHER)))
    assert (demanded.status, demanded.body) == (200, OTHER), "what was demanded is public"
    assert demanded.headers["Cache-Control"] == "no-store", "or a cache on the way would give it to everybody"
    assert (await node.get(path_of("good"))).body == GOOD
    assert (await node.get(path_of("good"))).headers["Cache-Control"].startswith("public")
    await node.stop()
    node = await start_node()
    assert (await node.get(path_of("good"))).body == GOOD


async def test_a_name_that_only_a_reader_gave_is_none(start_node: StartNode, upstream: FakeRegistry) -> None:
    """Neither what is in the store already nor what came from the swarm."""
    holder = await published(start_node)
    reader = await start_node("reader", holder)
    for name in ("nothing", "else"):
        answer = await reader.get(path_of(name), pacote_integrity=format_integrity(sha512(OTHER)))
        assert (answer.body, answer.headers["Cache-Control"]) == (OTHER, "no-store")
        assert (await reader.get(path_of(name))).status == 404


async def test_what_the_upstream_gave_is_not_served_once_the_name_is_pinned(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    tarball = offer(upstream, "good", "1.0.0")
    node = await start_node(upstream=upstream.url)
    assert (await node.get("/good")).status == 200
    assert (await node.get(path_of("good"))).body == tarball
    key = PrivateKey(bytes(32)).public
    TrustFile(node.node.stores.trust.path).change(lambda rules: rules.with_pin("good", key))
    assert (await node.get(path_of("good"))).status != 200
    by_integrity = await node.get(path_of("good"), pacote_integrity=format_integrity(sha512(tarball)))
    assert by_integrity.body == tarball


async def test_a_restricted_tarball_is_not_given_by_another_name(start_node: StartNode, upstream: FakeRegistry) -> None:
    async with FakeRegistry() as corp:
        secret = offer(corp, "@corp/tool", "1.0.0", filler=b"secret")
        alias = manifest_of("alias", "1.0.0", secret, upstream.url)
        packument = {"name": "alias", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": alias}}
        upstream.on("/alias", Reply(body=orjson.dumps(packument)))
        table = {"url": corp.url, "packages": ["@corp/*"], "token": "t", "retries": 0}
        node = await start_node(upstream=upstream.url, upstreams={"corp": table})
        assert (await node.get("/@corp/tool/-/tool-1.0.0.tgz")).body == secret
        assert (await node.get("/alias")).status == 200
        assert (await node.get(path_of("alias"))).status == 404
        assert (await node.get("/@corp/tool/-/tool-1.0.0.tgz")).body == secret


@pytest.mark.parametrize("filler", [b"", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("demanded", [False, True])
async def test_bytes_that_a_disk_changed_are_never_taken_for_whole(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, filler: bytes, demanded: bool
) -> None:
    tarball = offer(upstream, "pkg", "1.0.0", filler=filler)
    node = await start_node(upstream=upstream.url)
    headers = {"pacote_integrity": format_integrity(sha512(tarball))} if demanded else {}
    assert (await node.get(path_of("pkg"), **headers)).body == tarball
    file = file_of(tmp_path, tarball)
    rotten = bytearray(tarball)
    rotten[len(rotten) // 2] ^= 1
    file.write_bytes(rotten)
    os.utime(file, ns=(_STAMP, _STAMP))
    if filler:
        with pytest.raises(aiohttp.ClientPayloadError):
            await node.get(path_of("pkg"), **headers)
    assert (await node.get(path_of("pkg"), **headers)).body == tarball
    assert file.read_bytes() == tarball
    assert (swarm_dir(tmp_path) / "damaged" / file.name).read_bytes() == rotten
    assert asked(upstream, path_of("pkg")) == 2


async def test_what_was_published_comes_back_with_its_disk(start_node: StartNode, tmp_path: Path) -> None:
    node = await published(start_node)
    await node.stop()
    blobs = swarm_dir(tmp_path) / "blobs"
    blobs.rename(tmp_path / "unmounted")
    node = await start_node()
    assert (await node.get(path_of("good"))).status == 404
    await node.stop()
    shutil.rmtree(blobs)
    shutil.copytree(tmp_path / "unmounted", blobs)  # with other times, as a restored backup has
    node = await start_node()
    assert (await node.get(path_of("good"))).body == GOOD
    assert (await node.get(path_of("good"), pacote_integrity=format_integrity(sha512(GOOD)))).body == GOOD


async def test_what_was_published_and_is_damaged_is_set_aside_and_named(
    start_node: StartNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = await published(start_node)
    file = file_of(tmp_path, GOOD)
    file.write_bytes(GOOD[:-1])
    assert (await node.get(path_of("good"))).status == 404
    assert (swarm_dir(tmp_path) / "damaged" / file.name).read_bytes() == GOOD[:-1]
    assert "good-1.0.0.tgz was damaged on the disk, and is set aside as" in caplog.text
    file.write_bytes(GOOD)  # somebody had a copy
    await node.stop()
    node = await start_node()
    assert (await node.get(path_of("good"))).body == GOOD


async def test_what_cannot_be_read_now_is_not_taken_for_damaged(
    start_node: StartNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no free descriptor."""
    node = await published(start_node)
    file = file_of(tmp_path, GOOD)
    file.touch()

    def fails(_: Path) -> bytes:
        raise StoreError("Cannot use it: Too many open files.")

    with monkeypatch.context() as patched:
        patched.setattr("libreseed.store.blobs.hash_file", fails)
        assert (await node.get(path_of("good"))).status == 500
    assert (await node.get(path_of("good"))).body == GOOD
