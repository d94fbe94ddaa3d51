from typing import Any

import orjson
import pytest

from libreseed.upstream.client import Upstream
from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import FakeRegistry, Reply

PATH = "/-/v1/search"


def theirs(*names: str, total: int | None = None) -> Reply:
    objects: list[Any] = [{"package": {"name": name, "version": "9.0.0"}, "searchScore": 5} for name in names]
    return Reply(body=orjson.dumps({"objects": objects, "total": len(names) if total is None else total}))


def query(text: str, size: int = 20, start: int = 0) -> str:
    return f"{PATH}?text={text}&size={size}&from={start}"


async def names(node: Local, path: str) -> list[str]:
    answer = await node.get(path)
    assert answer.status == 200, answer.body
    return [entry["package"]["name"] for entry in answer.json()["objects"]]


async def test_what_was_published_and_fetched_here(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "http-old", "1.0.0", description="A server.")
    node = await start_node(upstream=upstream.url)
    await node.log_in()
    await node.publish("http-new", "1.0.0")
    await node.get("/http-old")
    await node.stop()
    node = await start_node()
    answer = await node.get(query("http"))
    assert (answer.status, answer.source) == (200, "store")
    content = answer.json()
    assert content.keys() == {"objects", "total", "time"}
    assert content["total"] == 2
    assert sorted(entry["package"]["name"] for entry in content["objects"]) == ["http-new", "http-old"]
    assert content["objects"][0].keys() == {"package", "score", "searchScore"}
    assert await names(node, query("server")) == ["http-old"]
    assert len(await names(node, query("http", 1))) == 1
    assert await names(node, query("http", 20, 2)) == []
    assert sorted(await names(node, PATH)) == ["http-new", "http-old"]


async def test_merged_with_the_upstreams(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "http-old", "1.0.0")
    upstream.on("/-/v1/search?text=http&size=1&from=0", theirs("http-old", total=30))
    upstream.on("/-/v1/search?text=http&size=19&from=0", theirs("http-old", "http-new", "http-far", total=30))
    upstream.on("/-/v1/search?text=http&size=2&from=1", theirs("http-far", "http-farther", total=30))
    node = await start_node(upstream=upstream.url)
    await node.log_in()
    await node.publish("http-new", "1.0.0")
    await node.get("/http-old")
    answer = await node.get(query("http"))
    assert (answer.source, answer.json()["total"]) == ("upstream", 31)
    found = {entry["package"]["name"]: entry["package"]["version"] for entry in answer.json()["objects"]}
    assert found == {"http-new": "1.0.0", "http-old": "9.0.0", "http-far": "9.0.0"}, "each once, from its owner"
    assert await names(node, query("http", 1)) == ["http-new"]
    assert await names(node, query("http", 2, 2)) == ["http-far", "http-farther"]


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(405), Reply(500), Reply(401), Reply(body=b"{}"), Reply(body=b"{x}")]
)
async def test_an_upstream_without_search(start_node: StartNode, upstream: FakeRegistry, reply: Reply) -> None:
    upstream.on(query("http"), reply)
    offer(upstream, "http-old", "1.0.0")
    node = await start_node(upstream=upstream.url)
    await node.get("/http-old")
    assert [await names(node, query("http")) for _ in range(2)] == [["http-old"]] * 2
    assert asked(upstream, query("http")) <= 3, "it is not asked again soon"


async def test_restricted_packages_are_for_who_is_logged_in(
    start_node: StartNode, upstream: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_private(_: Upstream, name: str) -> bool:
        return name.startswith("@corp/") or name == "@corp"

    monkeypatch.setattr(Upstream, "is_private", is_private)
    offer(upstream, "@corp/http", "1.0.0")
    upstream.on(query("http"), theirs("@corp/http", "@corp/other", "http-far"))
    node = await start_node(upstream=upstream.url)
    await node.get("/@corp%2fhttp")
    assert await names(node, query("http")) == ["http-far"]
    assert await names(node, query("corp")) == []
    upstream.requests.clear()
    for text in ("@corp", "@corp/http", "x+@corp/unknown", "scope:corp"):
        assert await names(node, query(text)) == []
    assert upstream.requests == [], "the upstream learns nothing of the private scope"
    await node.log_in()
    assert await names(node, query("http")) == ["@corp/http", "@corp/other", "http-far"]
    assert await names(node, query("@corp")) == ["@corp/http"]


@pytest.mark.parametrize("wrong", ["size=x", "size=-1", "from=1.5", "size=" + "9" * 5000, "text=" + "x" * 1001])
async def test_limits(start_node: StartNode, wrong: str) -> None:
    node = await start_node()
    assert (await node.get(f"{PATH}?{wrong}")).status == 400
    assert (await node.get(f"{PATH}?text=a&size=1000&from=99999")).status == 200


async def test_the_upstream_is_shown_our_credentials_only_for_who_is_logged_in(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    upstream.on(query("http"), theirs("http-far"))
    node = await start_node(upstream=upstream.url.replace("//", "//us:secret@"))
    for member in (False, True):
        if member:
            await node.log_in()
        assert await names(node, query("http")) == ["http-far"]
        assert ("authorization" in upstream.requests[-1].headers) is member
