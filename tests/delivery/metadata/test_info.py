import orjson

from libreseed.packages.integrity import format_integrity, sha512
from libreseed.trust.keys import parse_key
from support.running import StartNode, eventually, offer
from support.signing import RegistrySigner
from upstream.fake_registry import FakeRegistry, Reply

INFO = "/-/libreseed/info"


async def test_of_the_upstream(start_node: StartNode, upstream: FakeRegistry) -> None:
    signer = RegistrySigner()
    upstream.on("/-/npm/v1/keys", Reply(body=signer.keys()))
    tarball = offer(upstream, "@s/pkg", "1.0.0", "1.1.0", description="A package.")
    signer.sign(upstream, "@s/pkg")
    node = await start_node(upstream=upstream.url)
    answer = await node.get(f"{INFO}/@s/pkg")
    assert (answer.source, answer.json()) == (
        "upstream",
        {
            "name": "@s/pkg",
            "version": "1.1.0",
            "description": "A package.",
            "deprecated": None,
            "published": "2024-01-01T00:00:00.000Z",
            "tags": ["latest"],
            "versions": 2,
            "origin": "upstream",
            "source": "upstream",
            "signature": "verified",
            "problem": None,
            "integrity": format_integrity(sha512(tarball)),
            "stored": False,
        },
    )
    await node.get("/@s/pkg/-/pkg-1.0.0.tgz")
    older = (await node.get(f"{INFO}/@s%2fpkg/~1.0")).json()
    assert (older["version"], older["tags"], older["stored"], older["source"]) == ("1.0.0", [], True, "store")


async def test_what_is_wrong_is_told(start_node: StartNode, upstream: FakeRegistry) -> None:
    signer = RegistrySigner()
    upstream.on("/-/npm/v1/keys", Reply(body=signer.keys()))
    offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg", forged=True)
    node = await start_node(upstream=upstream.url)
    answer = (await node.get(f"{INFO}/pkg")).json()
    assert (answer["signature"], "pkg@1.0.0 is wrong" in answer["problem"]) == ("wrong", True)


async def test_of_mirrors_and_publishers(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "mirrored", "1.0.0")
    other = await start_node("other", upstream=upstream.url)
    await other.get("/mirrored")
    await other.log_in()
    await other.publish("theirs", "1.0.0")
    await eventually(lambda: not other.node.publishing.mirroring.waiting and not other.node.networks.announcing.waiting)
    node = await start_node("node", other)
    text = other.node.status()["publisher"]
    key = parse_key(text)
    node.node.stores.trust.change(lambda rules: rules.with_mirror(key).with_pin("theirs", key))
    found = [
        (await client.get(f"{INFO}/{name}")).json()
        for client, name in ((node, "mirrored"), (node, "theirs"), (other, "theirs"))
    ]
    assert [(info["origin"], info["signature"]) for info in found] == [
        (f"mirror {text}", "unsigned"),
        (f"publisher {text}", "by its publisher"),
        (None, "by its publisher"),
    ]


async def test_what_is_not_there(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    for path in ("/nothing", "/pkg/2.0.0", "/pkg/1.0.0/x"):
        answer = await node.get(INFO + path)
        assert (answer.status, bool(orjson.loads(answer.body)["error"])) == (404, True)
    assert (await node.get(f"{INFO}/..")).status in (400, 404)
