import asyncio
import gzip

import orjson

from support.running import StartNode, asked
from upstream.fake_registry import FakeRegistry, Hang, Reply

BULK = "/-/npm/v1/security/advisories/bulk"
QUICK = "/-/npm/v1/security/audits/quick"
FOUND = b'{"lodash":[{"id":1,"severity":"high"}]}'


def sent(upstream: FakeRegistry, number: int = -1) -> object:
    return orjson.loads(gzip.decompress(upstream.requests[number].body))


async def test_a_bulk_audit_is_passed_on(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(BULK, Reply(body=FOUND))
    node = await start_node(upstream=upstream.url)
    wanted = {"lodash": ["4.17.11"]}
    for body, headers in (
        (orjson.dumps(wanted), {}),
        (gzip.compress(orjson.dumps(wanted)), {"Content_Encoding": "gzip"}),
    ):
        answer = await node.ask("POST", BULK, body=body, **headers)
        assert (answer.status, answer.source, answer.body) == (200, "upstream", FOUND)
        assert sent(upstream) == wanted
        assert upstream.requests[-1].headers["content-encoding"] == "gzip"


async def test_the_upstream_learns_only_of_its_own(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(BULK, Reply(body=b"{}"))
    upstream.on(QUICK, Reply(body=b"{}"))
    node = await start_node(upstream=upstream.url)
    await node.log_in()
    assert (await node.publish("@corp/ours", "1.0.0")).status == 201
    await node.ask("POST", BULK, body={"@corp/ours": ["1.0.0"], "lodash": ["4.17.11"]})
    assert sent(upstream) == {"lodash": ["4.17.11"]}
    tree = {
        "name": "@corp/ours",
        "version": "1.0.0",
        "requires": {"@corp/ours": "^1.0.0", "lodash": "4"},
        "dependencies": {
            "@corp/ours": {"version": "1.0.0"},
            "lodash": {"version": "4.17.11", "requires": {"@corp/ours": "1"}, "dependencies": {"@corp/ours": {}}},
        },
    }
    assert (await node.ask("POST", QUICK, body=tree)).status == 200
    assert sent(upstream) == {
        "version": "1.0.0",
        "requires": {"lodash": "4"},
        "dependencies": {"lodash": {"version": "4.17.11", "requires": {}, "dependencies": {}}},
    }


async def test_npm_10_audits_without_a_tree(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(QUICK, Reply(body=FOUND))
    node = await start_node(upstream=upstream.url)
    answer = await node.ask("POST", QUICK, body={"requires": {"lodash": "4"}, "metadata": {}})
    assert (answer.status, answer.body) == (200, FOUND)
    assert (await node.ask("POST", QUICK, body={"dependencies": []})).status == 400


async def test_no_advisories_is_not_nothing_found(start_node: StartNode, upstream: FakeRegistry) -> None:
    alone, behind = await start_node("alone"), await start_node("behind", upstream=upstream.url)
    for status in (404, 405, 501, 400):
        upstream.on(BULK, Reply(status))
        for node in (alone, behind):
            answer = await node.ask("POST", BULK, body={"lodash": ["1.0.0"]})
            assert answer.status == 404
            assert "No security advisories" in answer.json()["error"]
        await behind.stop()
        behind = await start_node("behind", upstream=upstream.url)


async def test_an_upstream_that_fails_is_not_waited_for_again(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(BULK, Reply(500))
    node = await start_node(upstream=upstream.url)
    for path, body in ((BULK, {"lodash": ["1.0.0"]}), (QUICK, {"dependencies": {}}), (BULK, {"lodash": ["1.0.0"]})):
        answer = await node.ask("POST", path, body=body)
        assert answer.status == 503
        assert "No security advisories now" in answer.json()["error"]
    assert (asked(upstream, BULK), asked(upstream, QUICK)) == (1, 0)


async def test_an_install_does_not_wait_long_for_its_audit(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(BULK, Hang())
    node = await start_node(upstream=upstream.url)
    async with asyncio.timeout(9):  # who audits on demand waits ten seconds
        answer = await node.ask("POST", BULK, body={"lodash": ["1.0.0"]}, npm_command="install")
    assert answer.status == 503
    assert "No security advisories now" in answer.json()["error"]


async def test_an_upstream_that_is_always_slow_is_waited_for(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(BULK, Reply(body=FOUND, pause=1.2))
    node = await start_node(upstream=upstream.url)
    for command in ("audit", "install"):
        answer = await node.ask("POST", BULK, body={"lodash": ["1.0.0"]}, npm_command=command)
        assert (answer.status, answer.body) == (200, FOUND), command


async def test_bodies_are_bounded_and_checked(start_node: StartNode, upstream: FakeRegistry) -> None:
    node = await start_node(upstream=upstream.url)
    bomb = gzip.compress(b" " * (17 << 20))
    for path, body, headers, status in (
        (BULK, bomb, {"Content_Encoding": "gzip"}, 413),
        (BULK, bomb[:-9], {"Content_Encoding": "gzip"}, 413),
        (BULK, gzip.compress(b"{}")[:-3], {"Content_Encoding": "gzip"}, 400),
        (BULK, b"{}", {"Content_Encoding": "gzip"}, 400),
        (BULK, b"[]", {}, 400),
        (QUICK, b"[]", {}, 400),
    ):
        assert (await node.ask("POST", path, body=body, **headers)).status == status
    assert upstream.requests == []
