import asyncio
import sqlite3
from pathlib import Path

import orjson
import pytest

from libreseed.config import Settings
from libreseed.trust.keys import PrivateKey
from support.packages import make_tarball, manifest_of
from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import Drop, FakeRegistry, Hang, Reply


def make_old(root: Path, days: int = 1) -> None:
    """Let everything in the store of a stopped node be a day old, or so many."""
    connection = sqlite3.connect(Settings(root).database_file)
    with connection:
        connection.execute("UPDATE packuments SET checked = checked - 86400 * ?", (days,))
    connection.close()


async def with_old_packument(start_node: StartNode, upstream: FakeRegistry, root: Path, days: int = 1) -> Local:
    offer(upstream, "pkg", "1.0.0")
    first = await start_node(upstream=upstream.url)
    assert (await first.get("/pkg")).source == "upstream"
    await first.stop()
    make_old(root / "node", days)
    return await start_node(upstream=upstream.url)


async def test_twenty_cold_clients_ask_the_upstream_once(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    answers = await asyncio.gather(*(node.get("/pkg") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert asked(upstream, "/pkg") == 1


@pytest.mark.parametrize(("max_age", "times"), [(0.0, 2), (300.0, 1)])
async def test_the_upstream_is_asked_again_after_the_set_time(
    start_node: StartNode, upstream: FakeRegistry, max_age: float, times: int
) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url, max_age=max_age)
    for _ in range(2):
        assert (await node.get("/pkg")).status == 200
    assert asked(upstream, "/pkg") == times


async def test_a_certain_absence_is_404_and_remembered(start_node: StartNode, upstream: FakeRegistry) -> None:
    node = await start_node(upstream=upstream.url)
    for _ in range(3):
        assert (await node.get("/pkg")).status == 404
    assert asked(upstream, "/pkg") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Drop(),
        Reply(500, b"{}"),
        Reply(200, b"<html>"),
        Reply(200, b"{broken}"),
        Reply(200, b'{"error": "not found"}'),
        Reply(200, orjson.dumps({"name": "other", "versions": {}, "dist-tags": {}})),
        Reply(200, b'{"name":"pkg","versions":{},"dist-tags":{},"x":' + b"[" * 300 + b"]" * 300 + b"}"),
        Reply(200, b'{"name":"pkg"', length=99),
    ],
    ids=["drop", "500", "html", "broken", "error", "other", "deep", "short"],
)
async def test_a_fault_of_the_upstream_is_503(start_node: StartNode, upstream: FakeRegistry, fault: Reply) -> None:
    upstream.on("/pkg", fault)
    node = await start_node(upstream=upstream.url)
    answer = await node.get("/pkg")
    assert (answer.status, answer.source) == (503, "store")
    assert "Retry-After" in answer.headers
    assert "--bootstrap" not in answer.json()["error"], "the upstream's fault is what counts"
    offer(upstream, "pkg", "1.0.0")
    assert (await node.get("/pkg")).status == 200, "a fault is not remembered"


async def test_where_nobody_is_trusted_and_nobody_there_it_is_404(start_node: StartNode) -> None:
    """npm would try a 503 again for over a minute before it publishes the name."""
    node = await start_node()
    answer = await node.get("/pkg")
    assert (answer.status, "--bootstrap" in answer.json()["error"]) == (404, True)


async def test_while_a_trusted_mirror_is_away_nothing_is_certain(start_node: StartNode) -> None:
    node = await start_node()
    node.node.stores.trust.change(lambda rules: rules.with_mirror(PrivateKey.generate().public))
    answer = await node.get("/pkg")
    assert (answer.status, "--bootstrap" in answer.json()["error"]) == (503, True)


async def test_an_old_packument_is_confirmed(start_node: StartNode, upstream: FakeRegistry, tmp_path: Path) -> None:
    node = await with_old_packument(start_node, upstream, tmp_path)
    upstream.on("/pkg", Reply(304))
    answer = await node.get("/pkg")
    assert (answer.status, answer.source) == (200, "upstream")
    assert upstream.requests[-1].headers["if-none-match"] == '"1"'
    assert (await node.get("/pkg")).source == "store"


async def test_one_that_was_stored_while_the_clock_was_ahead_is_confirmed(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    """Else it would be fresh until then."""
    node = await with_old_packument(start_node, upstream, tmp_path, days=-400)
    assert (await node.get("/pkg")).status == 200
    assert asked(upstream, "/pkg") == 2


@pytest.mark.parametrize(
    "fault", [Drop(), Hang(), Reply(500), Reply(200, b"{broken}")], ids=["drop", "hang", "500", "broken"]
)
async def test_an_old_one_is_served_when_the_upstream_fails(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path, fault: Reply
) -> None:
    node = await with_old_packument(start_node, upstream, tmp_path)
    upstream.on("/pkg", fault)
    answer = await node.get("/pkg")
    assert (answer.status, answer.source) == (200, "stale")
    assert list(answer.json()["versions"]) == ["1.0.0"]


async def test_a_slow_answer_is_there_for_the_next(
    start_node: StartNode, upstream: FakeRegistry, tmp_path: Path
) -> None:
    node = await with_old_packument(start_node, upstream, tmp_path)
    offer(upstream, "pkg", "1.0.0", "2.0.0")
    answer = upstream.script["/pkg"][0]
    assert isinstance(answer, Reply)
    upstream.on("/pkg", Reply(answer.status, answer.body, answer.headers, pause=0.8))
    assert (await node.get("/pkg")).source == "stale"
    async with asyncio.timeout(10):
        while (answers := await node.get("/pkg")).source == "stale":
            pass
    assert list(answers.json()["versions"]) == ["1.0.0", "2.0.0"]


async def test_what_the_upstream_has_withdrawn(start_node: StartNode, upstream: FakeRegistry, tmp_path: Path) -> None:
    """Its own 404 counts: it rules its name space."""
    node = await with_old_packument(start_node, upstream, tmp_path)
    del upstream.script["/pkg"]
    assert (await node.get("/pkg")).status == 404


async def test_the_store_alone_answers_offline(start_node: StartNode, upstream: FakeRegistry, tmp_path: Path) -> None:
    node = await with_old_packument(start_node, upstream, tmp_path)
    await node.stop()
    offline = await start_node()
    answer = await offline.get("/pkg")
    assert (answer.status, answer.source) == (200, "stale")


async def test_a_manifest_without_its_version(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = make_tarball("pkg", "1.0.0")
    manifest = manifest_of("pkg", "1.0.0", tarball, upstream.url)
    del manifest["version"]
    packument = {"name": "pkg", "versions": {"1.0.0": manifest}, "dist-tags": {}}
    upstream.on("/pkg", Reply(body=orjson.dumps(packument)))
    upstream.on("/pkg/-/pkg-1.0.0.tgz", Reply(body=tarball))
    node = await start_node(upstream=upstream.url)
    assert (await node.get("/pkg")).status == 200
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == tarball


async def test_a_silent_upstream_stalls_no_stored_answers(start_node: StartNode, upstream: FakeRegistry) -> None:
    names = [f"pkg-{number}" for number in range(10)]
    for name in names:
        offer(upstream, name, "1.0.0")
    node = await start_node(upstream=upstream.url, max_age=0.0)
    for name in names:
        assert (await node.get(f"/{name}")).status == 200
    upstream.fault = Hang()
    assert (await node.get("/pkg-0")).source == "stale"
    node.node.delivery.metadata.packuments.stale.max_wait = 3600.0  # nobody after the first may be made to wait
    async with asyncio.timeout(120):
        assert {(await node.get(f"/{name}")).source for name in names} == {"stale"}


async def test_what_was_only_asked_for_by_tarball_needs_no_packument(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == tarball
    assert asked(upstream, "/pkg") == 0


async def test_what_no_client_could_use_is_left_out(
    start_node: StartNode, upstream: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """One old version of many may be broken."""
    offer(upstream, "pkg", "1.0.0", "1.1.0")
    reply = upstream.script["/pkg"][0]
    assert isinstance(reply, Reply)
    packument = orjson.loads(reply.body)
    del packument["versions"]["1.0.0"]["dist"]
    packument["dist-tags"]["old"] = "1.0.0"
    upstream.on("/pkg", Reply(body=orjson.dumps(packument)))
    node = await start_node(upstream=upstream.url)
    answer = (await node.get("/pkg")).json()
    assert (answer["versions"].keys(), answer["dist-tags"]) == ({"1.1.0"}, {"latest": "1.1.0"})
    assert "pkg has versions without a tarball, which are left out: 1.0.0." in caplog.text


@pytest.mark.parametrize("readme", [b"cut \\ud83d", b"\xe9t\xe9"])
async def test_what_only_javascript_reads_is_passed_on(
    start_node: StartNode, upstream: FakeRegistry, readme: bytes
) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    reply = upstream.script["/pkg"][0]
    assert isinstance(reply, Reply)
    for mark in (b"", b"\xef\xbb\xbf"):
        body = mark + b'{"readme": "' + readme + b'",' + reply.body[1:]
        upstream.on("/pkg", Reply(body=body))
        node = await start_node(f"node-{len(mark)}", upstream=upstream.url)
        assert (await node.get("/pkg")).json()["readme"].encode() in (b"cut \xef\xbf\xbd", b"\xef\xbf\xbdt\xef\xbf\xbd")
        assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == tarball
