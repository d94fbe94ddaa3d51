from typing import Any

import pytest

from libreseed.delivery.metadata import provenance
from support.running import StartNode, asked, offer
from upstream.fake_registry import FakeRegistry, Reply

KEYS = "/-/npm/v1/keys"
KEYS_BODY = b'{"keys":[{"keyid":"SHA256:x"}]}'
BODY = b'{"attestations":[]}'


def attestations(spec: str) -> str:
    return f"/-/npm/v1/attestations/{spec}"


async def test_keys_are_kept(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(KEYS, Reply(body=KEYS_BODY))
    node = await start_node(upstream=upstream.url)
    first, second = [await node.get(KEYS) for _ in range(2)]
    assert (first.status, first.source, first.body) == (200, "upstream", KEYS_BODY)
    assert (second.status, second.source, second.body) == (200, "store", KEYS_BODY)
    assert asked(upstream, KEYS) == 1
    await node.stop()
    offline = await start_node(upstream="none")
    answer = await offline.get(KEYS)
    assert (answer.status, answer.source, answer.body) == (200, "store", KEYS_BODY)


async def test_stale_keys_are_asked_for_again(
    start_node: StartNode, upstream: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_KEYS_FRESH", 0.0)
    newer = b'{"keys":[]}'
    upstream.on(KEYS, Reply(body=KEYS_BODY), Reply(403), Reply(body=b"<html>"), Reply(body=newer), Reply(404))
    node = await start_node(upstream=upstream.url)
    found = [await node.get(KEYS) for _ in range(5)]
    assert [(answer.status, answer.source) for answer in found] == [
        (200, "upstream"),
        (403, "store"),
        (200, "stale"),
        (200, "upstream"),
        (404, "store"),
    ]
    assert (found[2].body, found[3].body) == (KEYS_BODY, newer)


async def test_an_upstream_without_keys(start_node: StartNode, upstream: FakeRegistry) -> None:
    for status in (404, 400):
        upstream.requests.clear()
        upstream.on(KEYS, Reply(status))
        node = await start_node(str(status), upstream=upstream.url)
        assert [(await node.get(KEYS)).status for _ in range(2)] == [404, 404]
        assert asked(upstream, KEYS) == 1, "an absence is remembered"
    alone = await start_node("alone")
    answer = await alone.get(KEYS)
    assert (answer.status, "no upstream" in answer.json()["error"]) == (404, True)


@pytest.mark.parametrize("spelling", ["@s%2fpkg@1.0.0", "@s%2Fpkg@1.0.0", "@s/pkg@1.0.0", "%40s%2fpkg%401.0.0"])
async def test_attestations(start_node: StartNode, upstream: FakeRegistry, spelling: str) -> None:
    path = attestations("@s%2fpkg@1.0.0")
    upstream.on(path, Reply(body=BODY))
    node = await start_node(upstream=upstream.url)
    first, second = [await node.get(attestations(spelling)) for _ in range(2)]
    assert (first.source, second.source, first.body, second.body) == ("upstream", "store", BODY, BODY)
    assert asked(upstream, path) == 1


async def test_attestations_that_the_packument_does_not_name(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    offer(upstream, "signed", "1.0.0", attestations={"url": "x"})
    node = await start_node(upstream=upstream.url)
    for name in ("pkg", "signed"):
        await node.get(f"/{name}")
        upstream.on(attestations(f"{name}@1.0.0"), Reply(body=BODY))
        upstream.on(attestations(f"{name}@2.0.0"), Reply(body=BODY))
    statuses = [(await node.get(attestations(spec))).status for spec in ("pkg@1.0.0", "signed@1.0.0", "pkg@2.0.0")]
    assert statuses == [404, 200, 200]
    assert asked(upstream, attestations("pkg@1.0.0")) == 0


async def test_what_is_not_the_upstreams(start_node: StartNode, upstream: FakeRegistry) -> None:
    upstream.on(attestations("ours@1.0.0"), Reply(body=BODY))
    node = await start_node(upstream=upstream.url)
    await node.log_in()
    await node.publish("ours", "1.0.0")
    upstream.requests.clear()
    assert (await node.get(attestations("ours@1.0.0"))).status == 404
    assert upstream.requests == []


@pytest.mark.parametrize("spec", ["pkg", "pkg@", "pkg@1", "@1.0.0", "..%2fx@1.0.0", "pkg@1.0.0%2f..", "a%20b@1.0.0"])
async def test_what_is_no_version(start_node: StartNode, upstream: FakeRegistry, spec: str) -> None:
    node = await start_node(upstream=upstream.url)
    answer: Any = await node.get(attestations(spec))
    assert (answer.status, upstream.requests) == (400, [])
