"""Whose name it is decides who is asked, and for nobody else's bytes; what is private stays here."""

import asyncio
from pathlib import Path

import orjson

from libreseed.packages.integrity import format_integrity, sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.packuments import PackumentStore, StoredPackument, mirror_origin
from libreseed.upstream.client import Upstream
from support.packages import make_tarball
from support.running import Local, StartNode, asked, eventually, offer
from upstream.fake_registry import FakeRegistry


def lose(root: Path, tarball: bytes) -> None:
    """Remove a blob from the disk of a node that does not run."""
    BlobStore(root / ".libreseed_modules" / ".swarm").remove(sha512(tarball))


async def test_the_upstream_is_not_asked_for_what_is_published_here(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    node = await start_node()
    await node.log_in()
    tarball = make_tarball("pkg", "1.0.0")
    assert (await node.publish("pkg", "1.0.0", tarball)).status == 201
    await node.stop()
    lose(tmp_path / "node", tarball)
    offer(upstream, "pkg", "1.0.0", "9.9.9", filler=b"another package")

    node = await start_node(upstream=upstream.url)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status in (404, 503)
    assert (await node.get("/pkg/-/pkg-9.9.9.tgz")).status == 404
    assert upstream.requests == []


async def test_what_the_upstream_said_before_counts_no_more_for_a_name_published_here(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    offer(upstream, "pkg", "1.0.0", filler=b"of the upstream")
    node = await start_node(upstream=upstream.url, share=False)
    assert (await node.get("/pkg")).source == "upstream"
    key = bytes.fromhex(node.node.status()["publisher"].removeprefix("ed25519:"))
    node.node.stores.trust.change(lambda rules: rules.with_pin("pkg", key))
    await node.log_in()
    tarball = make_tarball("pkg", "1.0.0")
    assert (await node.publish("pkg", "1.0.0", tarball)).status == 201
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == tarball
    assert await node.node.delivery.metadata.packuments.stored("pkg") is None


async def test_the_hash_of_something_restricted_opens_it_under_no_other_name(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    tarball = offer(upstream, "secret", "1.0.0")
    offer(upstream, "other", "1.0.0", filler=b"other")
    node = await start_node(upstream=upstream.url, share=False)
    assert (await node.get("/secret/-/secret-1.0.0.tgz")).body == tarball
    claimed = {"pacote_integrity": format_integrity(sha512(tarball))}
    stolen = await node.get("/other/-/other-1.0.0.tgz", **claimed)
    assert stolen.status == 503
    assert stolen.body != tarball


async def test_nothing_from_the_upstream_is_shared_without_leave(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    keeper = await start_node("keeper", upstream=upstream.url, share=False)
    giver = await start_node("giver", upstream=upstream.url)
    for node in (keeper, giver):
        assert (await node.get("/pkg")).status == 200
        assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == tarball
    await eventually(
        lambda: giver.node.networks.seeding.shared(sha512(tarball)) and not giver.node.networks.announcing.waiting
    )
    assert keeper.node.networks.seeding.shared(sha512(tarball)) is None
    assert keeper.node.status()["mirroring"] == 0
    claimed = {"pacote_integrity": format_integrity(sha512(tarball))}
    from_keeper, from_giver = await start_node("one", keeper), await start_node("two", giver)
    assert (await from_keeper.get("/pkg/-/pkg-1.0.0.tgz", **claimed)).status == 404
    assert (await from_giver.get("/pkg/-/pkg-1.0.0.tgz", **claimed)).source == "swarm"


async def test_a_scope_with_a_registry_of_its_own_is_never_shared(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    tarball = offer(upstream, "@corp/tool", "1.0.0")
    node = await start_node(upstream=upstream.url)
    own = node.node.networks.upstream
    assert isinstance(own, Upstream)
    settings = await own.ready()
    object.__setattr__(settings, "scopes", {"@corp": settings.registry})
    assert (await node.get("/@corp%2ftool")).status == 200
    assert (await node.get("/@corp/tool/-/tool-1.0.0.tgz")).body == tarball
    assert node.node.networks.seeding.find(sha512(tarball)) is not None
    assert node.node.networks.seeding.shared(sha512(tarball)) is None
    assert node.node.status()["mirroring"] == 0


async def test_a_mirror_cannot_send_us_anywhere(start_node: StartNode, upstream: FakeRegistry, tmp_path: Path) -> None:
    """A mirror's snapshot names a URL as the place of a tarball; the node asks its own upstream instead."""
    mirror = await start_node("mirror")
    key = bytes.fromhex(mirror.node.status()["publisher"].removeprefix("ed25519:"))
    tarball = make_tarball("pkg", "1.0.0")
    manifest = {
        "name": "pkg",
        "version": "1.0.0",
        "dist": {"tarball": f"{upstream.url}trap", "integrity": format_integrity(sha512(tarball))},
    }
    body = orjson.dumps({"name": "pkg", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}})
    node = await start_node(upstream=upstream.url)
    node.node.stores.trust.change(lambda rules: rules.with_mirror(key))
    database = await Database.open(tmp_path / "node" / ".libreseed" / "libreseed.db")
    try:
        stored = StoredPackument("pkg", mirror_origin(key), body, {}, None, None, False, 0.0)
        await PackumentStore(database).save(stored)
    finally:
        await database.close()
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 404
    assert asked(upstream, "/trap") == 0
    assert asked(upstream, "/pkg/-/pkg-1.0.0.tgz") == 1


async def test_a_snapshot_that_was_replaced_is_deleted(start_node: StartNode) -> None:
    publisher = await start_node("publisher")
    await publisher.log_in()
    reader = await start_node("reader", publisher)
    key = bytes.fromhex(publisher.node.status()["publisher"].removeprefix("ed25519:"))
    reader.node.stores.trust.change(lambda rules: rules.with_pin("pkg", key))
    sizes = []
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        assert (await publisher.publish("pkg", version)).status == 201
        await _until_seen(reader, version)
        sizes.append(len(reader.node.networks.seeding))
    assert sizes == [1, 1, 1]


async def _until_seen(reader: Local, version: str) -> None:
    async def seen() -> bool:
        await reader.node.stores.packuments.confirm("pkg", 0.0)  # long ago: it asks anew
        return version in (await reader.get("/pkg")).json()["versions"]

    async with asyncio.timeout(10):
        while not await seen():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)
