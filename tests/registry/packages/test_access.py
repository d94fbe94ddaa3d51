"""Access rules through every door, and nothing of what they keep back reaches the swarm."""

import pytest

from libreseed.packages.integrity import format_integrity, sha512
from libreseed.store.trustfile import TrustFile
from libreseed.trust.keys import parse_key
from support.packages import make_tarball
from support.running import Local, StartNode, asked, eventually, offer
from upstream.fake_registry import FakeRegistry

ACCESS = {"@acme/*": {"read": ["team"], "publish": ["team"], "unpublish": ["ann"]}}
GROUPS = {"team": ["ann", "bob"]}
TOOL = "/@acme/tool"
TARBALL = f"{TOOL}/-/tool-1.0.0.tgz"
DIGEST = sha512(make_tarball("@acme/tool", "1.0.0"))
DOORS = [
    TOOL,
    f"{TOOL}?write=true",
    "/@acme%2ftool",
    f"{TOOL}/latest",
    TARBALL,
    "/@acme/tool/-/@acme/tool-1.0.0.tgz",
    "/-/package/@acme%2ftool/dist-tags",
    "/-/package/@acme%2ftool/visibility",
    "/-/package/@acme%2ftool/collaborators",
    "/-/npm/v1/attestations/@acme%2ftool@1.0.0",
]


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    """A node on which ann has published @acme/tool 1.0.0, which only her team may read."""
    node = await start_node(access=ACCESS, groups=GROUPS)
    await node.log_in()
    assert (await node.publish("@acme/tool", "1.0.0")).status == 201
    return node


async def found(node: Local) -> list[str]:
    objects = (await node.get("/-/v1/search?text=tool")).json()["objects"]
    return [entry["package"]["name"] for entry in objects]


def shared(node: Local, digest: bytes) -> bool:
    announced = {blob.digest for blob in node.node.networks.overlay._parts.announcer._blobs.values()}
    return digest in announced or node.node.networks.seeding.shared(digest) is not None


async def test_every_door_is_shut(node: Local) -> None:
    ann = node.token
    await node.log_in("carl")
    carl = node.token
    for path in DOORS:
        assert (await node.get(path, Authorization="")).status == 401, path
        refused = await node.get(path, Authorization=f"Bearer {carl}")
        assert (refused.status, "carl may not read @acme/tool" in refused.json()["error"]) == (403, True), path
        assert (await node.get(path, Authorization=f"Bearer {ann}")).status == (404 if "attest" in path else 200), path
    for path in (TOOL, TARBALL):
        kept = await node.get(path, Authorization=f"Bearer {ann}")
        assert kept.headers["Cache-Control"] == "private, no-cache", "not for a cache that others share"
    assert await found(node) == []
    node.token = ann
    assert await found(node) == ["@acme/tool"]
    await node.ask("PUT", TOOL, body={"_id": "@acme/tool", "users": {"ann": True}})
    stars = '/-/_view/starredByUser?key="ann"'
    assert len((await node.get(stars)).json()["rows"]) == 1
    node.token = carl
    assert (await node.get(stars)).json()["rows"] == []
    assert (await node.ask("PUT", TOOL, body={"_id": "@acme/tool", "users": {"carl": True}})).status == 403
    assert (await node.get("/-/user/ann/package")).json() == {}


async def test_who_knows_the_hash_gets_nothing_either(node: Local) -> None:
    integrity = format_integrity(DIGEST)
    for path in (TARBALL, "/open/-/open-1.0.0.tgz"):
        for token in ("", node.token):
            headers = {"pacote-integrity": integrity, "Authorization": f"Bearer {token}"}
            answer = await node.get(path, **headers)
            assert (answer.status == 200) is (path == TARBALL and token != ""), (path, token)


async def test_who_may_change_it(node: Local) -> None:
    ann = node.token
    await node.log_in("carl")
    assert (await node.publish("@acme/tool", "2.0.0")).status == 403
    assert (await node.publish("@acme/new", "1.0.0")).status == 403
    assert (await node.publish("open", "1.0.0")).status == 201
    await node.log_in("bob")
    assert (await node.publish("@acme/tool", "2.0.0")).status == 201, "no maintainer, but the rule says so"
    assert (await node.publish("open", "2.0.0")).status == 403, "where no rule speaks, maintainers do"
    rev = (await node.get(TOOL)).json()["_rev"]
    refused = await node.ask("DELETE", f"{TOOL}/-rev/{rev}")
    assert (refused.status, "bob may not unpublish" in refused.json()["error"]) == (403, True)
    assert (await node.ask("PUT", f"{TOOL}/-rev/{rev}", body={"versions": {}})).status == 403
    assert (await node.ask("DELETE", f"{TARBALL}/-rev/{rev}")).status == 403
    node.token = ann
    assert (await node.ask("DELETE", f"{TOOL}/-rev/{rev}")).status == 201


async def test_it_is_not_shared_until_the_rule_is_gone(node: Local, start_node: StartNode) -> None:
    """Nor is what was shared before there was a rule, once there is one."""
    assert (await node.publish("open", "1.0.0")).status == 201
    await eventually(lambda: shared(node, sha512(make_tarball("open", "1.0.0"))))
    assert not shared(node, DIGEST)
    records = node.node.networks.overlay
    assert await records.find_records("@acme/tool") == []
    await node.stop()

    public = await start_node()
    await eventually(lambda: shared(public, DIGEST))
    await public.stop()

    again = await start_node(access=ACCESS, groups=GROUPS)
    again.token = node.token
    await again.publish("open", "2.0.0")
    await eventually(lambda: shared(again, sha512(make_tarball("open", "2.0.0"))))
    assert not shared(again, DIGEST)
    assert (await again.get(TARBALL)).body == make_tarball("@acme/tool", "1.0.0")
    signed = await again.node.stores.publications.find("@acme/tool")
    assert signed is not None


async def test_the_upstreams_packages_are_kept_back_too(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "@acme/tool", "1.0.0")
    node = await start_node(upstream=upstream.url, access=ACCESS, groups=GROUPS)
    assert (await node.get(TOOL)).status == 401
    assert (await node.get(TARBALL)).status == 401
    await node.log_in()
    assert (await node.get(TOOL)).status == 200
    assert (await node.get(TARBALL)).body == tarball
    assert not shared(node, sha512(tarball))
    assert (await node.get("/-/libreseed/status")).json()["mirroring"] == 0
    assert await found(node) == ["@acme/tool"]
    assert asked(upstream, "/-/v1/search?text=@acme/tool&size=20&from=0") == 0
    node.token = ""
    assert await found(node) == []
    assert (await node.get(TARBALL, **{"pacote-integrity": format_integrity(sha512(tarball))})).status == 401


async def test_a_pinned_publishers_package_is_fetched_and_not_passed_on(start_node: StartNode) -> None:
    publisher = await start_node("publisher")
    await publisher.log_in()
    await publisher.publish("@acme/tool", "1.0.0")
    key = parse_key((await publisher.get("/-/libreseed/status")).json()["publisher"])
    reader = await start_node("reader", publisher, access=ACCESS, groups=GROUPS)
    TrustFile(reader.node.stores.trust.path).change(lambda rules: rules.with_pin("@acme/*", key))
    assert (await reader.get(TARBALL)).status == 401
    await reader.log_in()
    got = await reader.get(TARBALL)
    assert (got.body, got.source) == (make_tarball("@acme/tool", "1.0.0"), "swarm")
    assert not shared(reader, DIGEST)
    assert reader.node.networks.seeding.list_shared() == [], "nor its snapshot"


async def test_npm_access(node: Local) -> None:
    assert (await node.publish("open", "1.0.0")).status == 201
    assert (await node.get("/-/package/open/visibility")).json() == {"public": True}
    assert (await node.get("/-/package/@acme%2ftool/visibility")).json() == {"public": False}
    assert (await node.get("/-/package/open/collaborators")).json() == {"ann": "write"}
    assert (await node.get("/-/package/@acme%2ftool/collaborators")).json() == {"ann": "write", "bob": "write"}
    assert (await node.get("/-/user/ann/package")).json() == {"@acme/tool": "write", "open": "write"}
    assert (await node.get("/-/user/bob/package")).json() == {"@acme/tool": "write"}
    assert (await node.get("/-/org/ann/package")).status == 404
    assert (await node.get("/-/package/nothing/visibility")).status == 404, "as the package itself"
    for path, body, status, says in [
        ("open", {"access": "public"}, 200, ""),
        ("open", {"access": "restricted"}, 403, "To restrict it"),
        ("@acme%2ftool", {"access": "restricted"}, 200, ""),
        ("@acme%2ftool", {"access": "public"}, 403, "restricted here"),
        ("open", {"publish_requires_tfa": True}, 403, "enable-2fa"),
        ("open", {}, 400, "public or restricted"),
    ]:
        answer = await node.ask("POST", f"/-/package/{path}/access", body=body)
        assert (answer.status, says in answer.body.decode()) == (status, True), answer.body


async def test_what_is_meant_to_be_restricted_is_not_published_for_all(node: Local) -> None:
    refused = await node.publish("@other/tool", "1.0.0", access="restricted")
    assert (refused.status, "is public here" in refused.json()["error"]) == (403, True)
    assert not node.node.stores.publications.has("@other/tool")
    assert (await node.publish("@acme/tool", "2.0.0", access="restricted")).status == 201
    assert (await node.publish("@other/tool", "1.0.0", access="public")).status == 201
