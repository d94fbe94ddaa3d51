import asyncio
import time

from libreseed.packages.changes import with_versions
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.store.trustfile import TrustFile
from libreseed.trust.history import events_between
from libreseed.trust.keys import PrivateKey, parse_key
from libreseed.trust.records import read_record
from libreseed.trust.snapshot import Snapshot
from support.packages import make_tarball
from support.running import Local, StartNode, eventually, offer
from upstream.fake_registry import FakeRegistry


async def own_key(node: Local) -> bytes:
    return parse_key((await node.get("/-/libreseed/status")).json()["publisher"])


def trust(node: Local) -> TrustFile:
    return TrustFile(node.node.stores.trust.path)


async def test_a_release_reaches_another_node(start_node: StartNode) -> None:
    """Published here, pinned there: the packument by a signed record, the tarball by the swarm."""
    publisher = await start_node("publisher")
    await publisher.log_in()
    tarball = make_tarball("@s/pkg", "1.0.0", b"hello")
    assert (await publisher.publish("@s/pkg", "1.0.0", tarball)).status == 201
    reader = await start_node("reader", publisher)
    key = await own_key(publisher)
    stranger = await reader.get("/@s/pkg")
    assert (stranger.status, "libreseed trust add" in stranger.json()["error"]) == (403, True)
    trust(reader).change(lambda rules: rules.with_pin("@s/*", key))
    found = await reader.get("/@s/pkg")
    assert (found.status, found.source) == (200, "swarm")
    got = await reader.get("/@s/pkg/-/pkg-1.0.0.tgz")
    assert (got.body, got.source) == (tarball, "swarm")
    assert (await reader.get("/@s/pkg/-/pkg-1.0.0.tgz")).source == "store"


async def test_names_of_others(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "taken", "1.0.0")
    node = await start_node(upstream=upstream.url)
    await node.log_in()
    key = await own_key(node)
    trust(node).change(lambda rules: rules.with_pin("@other/*", PrivateKey.generate().public).with_pin("taken", key))
    refused = await node.publish("@other/pkg", "1.0.0")
    assert (refused.status, "is pinned to" in refused.json()["error"]) == (403, True)
    assert (await node.publish("taken", "2.0.0")).status == 201, "pinned to ourselves, on purpose"
    assert list((await node.get("/taken")).json()["versions"]) == ["2.0.0"]


async def test_versions_published_at_once(start_node: StartNode) -> None:
    """Nothing gets lost when two releases of a package come together."""
    node = await start_node()
    await node.log_in()
    versions = [f"1.{minor}.0" for minor in range(6)]
    answers = await asyncio.gather(*(node.publish("pkg", version) for version in versions))
    assert {answer.status for answer in answers} == {201}
    assert sorted((await node.get("/pkg")).json()["versions"]) == versions


async def test_what_came_from_the_upstream_is_mirrored(start_node: StartNode, upstream: FakeRegistry) -> None:
    """A second node without upstream gets it from the first, once it trusts that mirror."""
    tarball = offer(upstream, "pkg", "1.0.0")
    mirror = await start_node("mirror", upstream=upstream.url)
    await mirror.get("/pkg")
    await mirror.get("/pkg/-/pkg-1.0.0.tgz")
    await eventually(lambda: mirror.node.publishing.mirroring.waiting == mirror.node.networks.announcing.waiting == 0)
    reader = await start_node("reader", mirror)
    stranger = await reader.get("/pkg")
    assert (stranger.status, "libreseed trust mirror" in stranger.json()["error"]) == (403, True)
    key = await own_key(mirror)
    trust(reader).change(lambda rules: rules.with_mirror(key))
    assert (await reader.get("/pkg")).source == "swarm"
    got = await reader.get("/pkg/-/pkg-1.0.0.tgz")
    assert (got.body, got.source) == (tarball, "swarm")


async def test_a_lock_file_is_all_the_trust_it_needs(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    holder = await start_node("holder", upstream=upstream.url)
    reader = await start_node("reader", holder)
    await holder.get("/pkg/-/pkg-1.0.0.tgz")
    await eventually(lambda: holder.node.networks.announcing.waiting == 0)
    integrity = format_integrity(sha512(tarball))
    got = await reader.get("/pkg/-/pkg-1.0.0.tgz", pacote_integrity=integrity)
    assert (got.status, got.source, got.body) == (200, "swarm", tarball)


async def test_nothing_is_shared_against_the_users_will(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url, share=False)
    await node.get("/pkg")
    assert node.node.publishing.mirroring.waiting == 0


async def test_a_write_that_was_interrupted_is_finished(start_node: StartNode) -> None:
    """The node was killed after it had stored an unpublish: at its next start it signs that and drops the tarball."""
    node = await start_node()
    await node.log_in()
    for version in ("1.0.0", "1.1.0"):
        await node.publish("pkg", version)
    store = node.node.stores.publications
    before = await store.find("pkg")
    assert before is not None
    packument = with_versions(before.packument, ["1.1.0"])
    history = (*before.history, *events_between(before.packument, packument, 1))
    await store.save(Snapshot(packument, {"1.1.0": before.torrents["1.1.0"]}, history), len(before.history))
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 200
    await node.stop()

    node = await start_node()
    async with asyncio.timeout(10):
        while await signed_events(node) != len(history):  # noqa: ASYNC110  # the overlay has no event for it
            await asyncio.sleep(0.005)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 404
    assert (await node.get("/pkg/-/pkg-1.1.0.tgz")).status == 200


async def signed_events(node: Local) -> int:
    (item,) = await node.node.networks.overlay.find_records("pkg")
    return read_record(item, "pkg", time.time()).history_size
