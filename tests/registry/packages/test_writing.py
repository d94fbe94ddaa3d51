import asyncio
import random
from typing import Any

import orjson
import pytest

from libreseed.packages.integrity import sha512
from libreseed.packages.packument import ABBREVIATED_TYPE
from libreseed.registry.packages import writing
from libreseed.store.tables.catalogue import PUBLISHED, TarballName
from libreseed.trust.keys import PrivateKey
from libreseed.trust.snapshot import Snapshot
from support.packages import PREDICATE, make_bundle, make_tarball, publish_body
from support.running import Answer, Local, StartNode, eventually, offer
from upstream.fake_registry import FakeRegistry


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    """A node on which ann has published pkg 1.0.0 and 1.1.0."""
    node = await start_node()
    await node.log_in()
    for version in ("1.0.0", "1.1.0"):
        assert (await node.publish("pkg", version)).status == 201
    return node


async def packument(node: Local, name: str = "pkg") -> dict[str, Any]:
    document: dict[str, Any] = (await node.get(f"/{name}?write=true")).json()
    return document


async def deprecate(node: Local, document: dict[str, Any], **messages: str) -> Answer:
    for version, message in messages.items():
        document["versions"][version.lstrip("v").replace("_", ".")]["deprecated"] = message
    return await node.ask("PUT", "/pkg", body=document)


async def tag(node: Local, name: str, version: str) -> Answer:
    return await node.ask("PUT", f"/-/package/pkg/dist-tags/{name}", body=version)


async def unpublish(node: Local, document: dict[str, Any], version: str) -> Answer:
    del document["versions"][version]
    return await node.ask("PUT", f"/pkg/-rev/{document['_rev']}", body=document)


async def unpublish_all(node: Local) -> Answer:
    return await node.ask("DELETE", f"/pkg/-rev/{(await packument(node))['_rev']}")


async def snapshot(node: Local) -> Snapshot:
    found = await node.node.stores.publications.find("pkg")
    assert found is not None
    return found


async def events(node: Local) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.detail) for event in (await snapshot(node)).history]


def announced(node: Local) -> set[bytes]:
    """The SHA-512 of each blob that the overlay announces."""
    return {blob.digest for blob in node.node.networks.overlay._parts.announcer._blobs.values()}


async def test_deprecate_and_undo(node: Local) -> None:
    answer = await deprecate(node, await packument(node), v1_0_0="Too old.")
    assert answer.status == 201
    document = await packument(node)
    assert answer.json() == {"ok": True, "id": "pkg", "rev": document["_rev"]}
    assert document["versions"]["1.0.0"]["deprecated"] == "Too old."
    assert "deprecated" not in document["versions"]["1.1.0"]
    assert (await deprecate(node, document, v1_0_0="")).status == 201
    assert "deprecated" not in (await packument(node))["versions"]["1.0.0"]
    assert (await events(node))[-2:] == [
        ("deprecate", {"version": "1.0.0", "message": "Too old."}),
        ("deprecate", {"version": "1.0.0", "message": ""}),
    ]


async def test_who_means_to_write_gets_the_revision(node: Local) -> None:
    """The whole packument, whichever form is asked for, and as it is after each change."""
    revisions = []
    for number in range(3):
        read = await node.get("/pkg?write=true", accept=ABBREVIATED_TYPE)
        assert (read.headers["Content-Type"], read.headers["Cache-Control"]) == ("application/json", "no-cache")
        revisions.append(read.json()["_rev"])
        assert (await node.get("/pkg")).json()["_rev"] == revisions[-1], "npm owner reads it so"
        assert "_rev" not in (await node.get("/pkg", accept=ABBREVIATED_TYPE)).json()
        await tag(node, f"t{number}", "1.0.0")
    assert len(set(revisions)) == 3


async def test_what_has_no_effect_leaves_no_event(node: Local) -> None:
    document = await packument(node)
    history = await events(node)
    for answer in (await deprecate(node, dict(document)), await tag(node, "latest", "1.1.0")):
        assert (answer.status, answer.json()["rev"]) == (201, document["_rev"])
    assert await events(node) == history
    assert await packument(node) == document


async def test_a_version_that_is_published_never_changes(node: Local) -> None:
    document = await packument(node)
    document["versions"]["1.0.0"] |= {"dist": {"integrity": "sha512-"}, "scripts": {"install": "x"}, "deprecated": "!"}
    document["dist-tags"] = {"latest": "9.9.9"}
    assert (await node.ask("PUT", "/pkg", body=document)).status == 201
    changed = await packument(node)
    assert changed["versions"]["1.0.0"].pop("deprecated") == "!"
    assert (changed["versions"], changed["dist-tags"]["latest"]) == (
        {**document["versions"], "1.0.0": changed["versions"]["1.0.0"]},
        "1.1.0",
    )
    assert "scripts" not in changed["versions"]["1.0.0"]


async def test_tags(node: Local) -> None:
    assert (await tag(node, "beta", "1.0.0")).status == 201
    assert (await node.get("/-/package/pkg/dist-tags")).json() == {"latest": "1.1.0", "beta": "1.0.0"}
    assert (await node.get("/pkg/beta")).json()["version"] == "1.0.0"
    assert (await node.ask("DELETE", "/-/package/pkg/dist-tags/beta")).status == 201
    assert (await node.get("/-/package/pkg/dist-tags")).json() == {"latest": "1.1.0"}
    assert (await events(node))[-2:] == [
        ("dist-tag", {"tag": "beta", "version": "1.0.0"}),
        ("dist-tag", {"tag": "beta", "version": None}),
    ]


async def test_tags_that_cannot_be(node: Local) -> None:
    for name, version, status in [
        ("beta", "9.0.0", 404),
        ("beta", 1, 400),
        ("1.x", "1.0.0", 400),
        ("a%20b", "1.0.0", 400),
        ("x" * 200, "1.0.0", 400),
        ("a/b", "1.0.0", 404),
    ]:
        assert (await node.ask("PUT", f"/-/package/pkg/dist-tags/{name}", body=version)).status == status, name
    assert (await node.ask("DELETE", "/-/package/pkg/dist-tags/beta")).status == 404
    assert (await node.ask("DELETE", "/-/package/pkg/dist-tags/latest")).status == 400
    assert (await node.ask("PUT", "/-/package/nobodys/dist-tags/beta", body="1.0.0")).status == 404


async def test_unpublish_one_version(node: Local) -> None:
    await tag(node, "next", "1.1.0")
    tarball = "/pkg/-/pkg-1.1.0.tgz"
    assert (await node.get(tarball)).body == make_tarball("pkg", "1.1.0")
    ref = (await snapshot(node)).torrents["1.1.0"]
    digest = sha512(make_tarball("pkg", "1.1.0"))
    await eventually(lambda: digest in announced(node))
    refused = await node.ask("DELETE", f"{tarball}/-rev/1")
    assert (refused.status, "is published" in refused.json()["error"]) == (409, True)
    assert (await unpublish(node, await packument(node), "1.1.0")).status == 201

    document = await packument(node)
    assert (list(document["versions"]), document["dist-tags"]) == (["1.0.0"], {"latest": "1.0.0"})
    assert (await node.get(tarball)).status == 404
    assert (await node.ask("DELETE", f"{tarball}/-rev/{document['_rev']}")).status == 200
    assert (await node.ask("DELETE", f"/pkg/-/pkg-7.0.0.tgz/-rev/{document['_rev']}")).status == 404
    assert list((await snapshot(node)).torrents) == ["1.0.0"]
    assert ref.v1 not in {ref.v1 for ref in node.node.networks.seeding.list_shared()}, "no longer seeded"
    assert digest not in announced(node), "nor announced"
    again = await node.publish("pkg", "1.1.0")
    assert (again.status, "published already" in again.json()["error"]) == (409, True)
    assert (await events(node))[-3:] == [
        ("unpublish", {"version": "1.1.0"}),
        ("dist-tag", {"tag": "next", "version": None}),
        ("dist-tag", {"tag": "latest", "version": "1.0.0"}),
    ]


async def test_a_tarball_that_was_left_behind(node: Local) -> None:
    """The node was killed between the packument and the tarball: npm's second step removes it."""
    await unpublish(node, await packument(node), "1.0.0")
    found = await snapshot(node)
    tarball = make_tarball("pkg", "1.0.0")
    name = TarballName("pkg", "pkg-1.0.0.tgz", PUBLISHED)
    await node.node.networks.seeding.add_bytes(tarball, sha512(tarball), shared=True, tarball=name)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 200
    assert (await node.ask("DELETE", "/pkg/-/pkg-1.0.0.tgz/-rev/1")).status == 200
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 404
    assert await snapshot(node) == found


async def test_unpublish_everything(node: Local) -> None:
    assert (await unpublish_all(node)).status == 201
    for path in ("/pkg", "/pkg?write=true", "/pkg/latest", "/-/package/pkg/dist-tags"):
        gone = await node.get(path)
        assert (gone.status, "was unpublished" in gone.json()["error"]) == (404, True)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).status == 404
    assert (await node.ask("DELETE", "/pkg/-rev/1")).status == 404
    assert (await tag(node, "beta", "1.0.0")).status == 404
    left = (await snapshot(node)).packument
    assert (left["versions"], left["dist-tags"], left["maintainers"][0]["name"]) == ({}, {}, "ann")
    assert (await node.publish("pkg", "1.0.0")).status == 409
    await node.log_in("bob")
    assert (await node.publish("pkg", "2.0.0")).status == 403, "the name stays ann's"
    await node.log_in("ann")
    assert (await node.publish("pkg", "2.0.0")).status == 201
    assert (await packument(node))["dist-tags"] == {"latest": "2.0.0"}


async def test_owners(node: Local) -> None:
    ann = node.token
    await node.log_in("bob")
    refused = await node.publish("pkg", "2.0.0")
    assert (refused.status, "npm owner add bob pkg" in refused.json()["error"]) == (403, True)
    for answer in (await tag(node, "beta", "1.0.0"), await node.ask("DELETE", "/pkg/-/pkg-1.0.0.tgz/-rev/1")):
        assert answer.status == 403
    node.token = ann
    assert (await node.get("/-/user/org.couchdb.user:bob")).json()["name"] == "bob"
    assert (await node.get("/-/user/org.couchdb.user:carl")).status == 404
    document = await packument(node)
    people = [*document["maintainers"], {"name": "bob", "email": "bob@example.test"}]
    change = {"_id": "pkg", "_rev": document["_rev"], "maintainers": people}
    assert (await node.ask("PUT", f"/pkg/-rev/{document['_rev']}", body=change)).status == 201
    assert (await packument(node))["maintainers"] == people
    assert (await events(node))[-1] == ("owner", {"maintainers": ["ann", "bob"]})
    await node.log_in("bob")
    assert (await node.publish("pkg", "2.0.0")).status == 201


async def test_owners_one_by_one(node: Local) -> None:
    async def names() -> list[str]:
        return [person["name"] for person in (await packument(node))["maintainers"]]

    path = "/-/package/pkg/owners"
    assert (await node.ask("PUT", path, body={"user": "bob"})).status == 404, "there is no such account"
    ann = node.token
    await node.log_in("bob")
    assert (await node.ask("PUT", path, body={"user": "bob"})).status == 403, "not an owner's to give"
    node.token = ann
    for _ in range(2):
        assert (await node.ask("PUT", path, body={"user": "bob"})).status == 201
        assert await names() == ["ann", "bob"]
    assert (await node.ask("PUT", path, body="bob")).status == 400
    assert (await node.ask("DELETE", f"{path}/eve")).status == 404
    assert (await node.ask("DELETE", f"{path}/bob")).status == 201
    assert await names() == ["ann"]
    assert (await node.ask("DELETE", f"{path}/ann")).status == 400, "the last one stays"
    node.token = ""
    assert (await node.ask("PUT", path, body={"user": "bob"})).status == 401


async def test_stars_as_pnpm_sends_them(node: Local) -> None:
    path = "/-/user/v1/star"
    assert (await node.ask("PUT", path, body={"name": "pkg"})).status == 200
    assert (await node.get(path)).json() == ["pkg"]
    assert (await node.ask("PUT", path, body={"name": "absent"})).status != 200
    assert (await node.ask("PUT", path, body={"package": "pkg"})).status == 400
    assert (await node.ask("DELETE", path, body={"name": "pkg"})).status == 200
    assert (await node.get(path)).json() == []
    node.token = ""
    assert (await node.get(path)).status == 401


@pytest.mark.parametrize("maintainers", [[], ["ann"], [{"name": ""}], [{"name": 1}], [{"name": "a"}, None]])
async def test_owners_that_cannot_be(node: Local, maintainers: list[Any]) -> None:
    rev = (await packument(node))["_rev"]
    assert (await node.ask("PUT", f"/pkg/-rev/{rev}", body={"maintainers": maintainers})).status == 400
    assert (await packument(node))["_rev"] == rev


async def test_who_changes_what_was_changed_meanwhile_is_told(node: Local) -> None:
    """Both read, both write: the second would undo the first, and is refused."""
    first, second = await packument(node), await packument(node)
    assert (await deprecate(node, first, v1_0_0="Old.")).status == 201
    lost = await deprecate(node, second, v1_1_0="Old too.")
    assert (lost.status, "changed by somebody else" in lost.json()["error"]) == (409, True)
    assert (await unpublish(node, second, "1.1.0")).status == 409
    assert (await node.ask("DELETE", f"/pkg/-rev/{second['_rev']}")).status == 409
    del second["_rev"]
    assert (await deprecate(node, second)).status == 409
    second["_rev"] = "none"
    owners = {"maintainers": [{"name": "bob"}]}
    assert (await node.ask("PUT", f"/pkg/-rev/{second['_rev']}", body=owners)).status == 409
    document = await packument(node)
    assert {v: m.get("deprecated") for v, m in document["versions"].items()} == {"1.0.0": "Old.", "1.1.0": None}


async def test_writes_at_once(node: Local) -> None:
    """Twenty releases and twenty tags of one package together: nothing gets lost, and every step is signed in order."""
    versions = [f"2.{minor}.0" for minor in range(20)]
    answers = await asyncio.gather(
        *(node.publish("pkg", version) for version in versions), *(tag(node, f"t{n}", "1.0.0") for n in range(20))
    )
    assert {answer.status for answer in answers} == {201}
    document = await packument(node)
    assert set(document["versions"]) == {"1.0.0", "1.1.0", *versions}
    assert {f"t{n}" for n in range(20)} <= document["dist-tags"].keys()
    history = await events(node)
    assert sum(kind == "publish" for kind, _ in history) == 22
    for version in versions:
        assert (await node.get(f"/pkg/-/pkg-{version}.tgz")).body == make_tarball("pkg", version)


WRITES = [
    ("PUT", "/pkg", {"_rev": "1", "versions": {}}),
    ("PUT", "/-/package/pkg/dist-tags/beta", "1.0.0"),
    ("DELETE", "/-/package/pkg/dist-tags/beta", None),
    ("PUT", "/pkg/-rev/1", {"versions": {}}),
    ("PUT", "/pkg/-rev/1", {"maintainers": [{"name": "eve"}]}),
    ("DELETE", "/pkg/-rev/1", None),
    ("DELETE", "/pkg/-/pkg-1.0.0.tgz/-rev/1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_packages_of_somebody_else(
    start_node: StartNode, upstream: FakeRegistry, method: str, path: str, body: object
) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    assert (await node.ask(method, path, body=body)).status == 401
    await node.log_in()
    refused = await node.ask(method, path, body=body)
    assert (refused.status, "belongs to somebody else" in refused.json()["error"]) == (403, True)
    node.node.stores.trust.change(lambda rules: rules.with_pin("pkg", PrivateKey.generate().public))
    refused = await node.ask(method, path, body=body)
    assert (refused.status, "is pinned to" in refused.json()["error"]) == (403, True)


async def test_bodies_that_mean_nothing(node: Local) -> None:
    for path, body in [("/pkg/-rev/1", {}), ("/pkg/-rev/1", []), ("/pkg", {}), ("/pkg/-rev/1", b"{")]:
        assert (await node.ask("PUT", path, body=body)).status == 400
    document = await packument(node)
    document["versions"]["3.0.0"] = document["versions"]["1.0.0"]
    assert (await node.ask("PUT", "/pkg", body=document)).status == 400
    assert (await node.ask("PUT", f"/pkg/-rev/{document['_rev']}", body=document)).status == 400
    assert (await deprecate(node, await packument(node), v1_0_0="x" * 5000)).status == 400
    assert (await node.ask("DELETE", "/pkg/1.0.0/-rev/1")).status == 404


async def test_who_pinned_the_publisher_sees_each_change(start_node: StartNode, node: Local) -> None:
    reader = await start_node("reader", node)
    key = (await node.get("/-/libreseed/status")).json()["publisher"].removeprefix("ed25519:")
    reader.node.stores.trust.change(lambda rules: rules.with_pin("pkg", bytes.fromhex(key)))

    async def seen() -> Answer:
        await reader.node.stores.packuments.confirm("pkg", 0.0)  # long ago: it asks anew
        return await reader.get("/pkg")

    assert list((await seen()).json()["versions"]) == ["1.0.0", "1.1.0"]
    await deprecate(node, await packument(node), v1_0_0="Old.")
    await tag(node, "beta", "1.0.0")
    document = (await seen()).json()
    assert (document["versions"]["1.0.0"]["deprecated"], document["dist-tags"]["beta"]) == ("Old.", "1.0.0")
    await unpublish(node, await packument(node), "1.1.0")
    assert list((await seen()).json()["versions"]) == ["1.0.0"]
    await unpublish_all(node)
    gone = await seen()
    assert (gone.status, "was unpublished" in gone.json()["error"]) == (404, True)
    assert (await reader.get("/pkg")).status == 404, "from the store too"


async def test_stars(node: Local) -> None:
    """Each account has its own, on whatever package it can read; the package stays as it is."""
    document = await packument(node)
    star = {"_id": "pkg", "_rev": document["_rev"], "users": {"ann": True, "bob": True}}
    assert (await node.ask("PUT", "/pkg", body=star)).status == 200
    assert (await node.ask("PUT", "/nobodys", body=star)).status == 404
    assert (await node.get("/-/_view/starredByUser?key=%22ann%22")).json() == {"rows": [{"value": "pkg"}]}
    assert (await node.get("/-/_view/starredByUser?key=%22bob%22")).json() == {"rows": []}
    assert (await node.get("/-/_view/starredByUser?key=ann")).status == 400
    assert await packument(node) == document
    assert (await node.ask("PUT", "/pkg", body=star | {"users": {}})).status == 200
    assert (await node.get("/-/_view/starredByUser?key=%22ann%22")).json() == {"rows": []}
    node.token = ""
    assert (await node.ask("PUT", "/pkg", body=star)).status == 401
    assert (await node.get("/-/_view/starredByUser?key=%22ann%22")).status == 401


async def test_search_finds_no_package_that_is_unpublished(node: Local) -> None:
    assert [found["package"]["name"] for found in (await search(node))["objects"]] == ["pkg"]
    await unpublish_all(node)
    assert (await search(node))["objects"] == []


async def search(node: Local) -> dict[str, Any]:
    answer = await node.get("/-/v1/search?text=pkg")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def test_a_publish_that_is_too_large(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PUBLISH_LIMIT", 1 << 20)
    node = await start_node()
    await node.log_in()
    answer = await node.publish("pkg", "1.0.0", make_tarball("pkg", "1.0.0", random.randbytes(1 << 20)))
    assert (answer.status, answer.json()["error"]) == (413, "The request's body is larger than 1 MiB.")


async def test_a_large_publish(node: Local) -> None:
    tarball = make_tarball("pkg", "2.0.0", random.randbytes(2 << 20))
    assert (await node.publish("pkg", "2.0.0", tarball)).status == 201
    assert (await node.get("/pkg/-/pkg-2.0.0.tgz")).body == tarball
    other = publish_body("pkg", "3.0.0", tarball)
    assert (await node.ask("PUT", "/pkg", body=other)).status == 400
    readme = publish_body("pkg", "4.0.0") | {"readme": "AAAA" * (1 << 19)}
    answer = await node.ask("PUT", "/pkg", body=readme)
    assert (answer.status, "must be its tarball" in answer.json()["error"]) == (400, True)
    assert list(node.node.stores.blobs.folder.parent.glob("incoming/*")) == []


async def test_provenance_is_kept_and_shown(node: Local) -> None:
    """What npm asks for, and where the packument says that it is."""
    tarball = make_tarball("@s/pkg", "1.0.0")
    bundle = make_bundle(sha512(tarball))
    body = publish_body("@s/pkg", "1.0.0", tarball)
    text = orjson.dumps(bundle).decode()
    body["_attachments"]["@s/pkg-1.0.0.sigstore"] = {"data": text, "content_type": bundle["mediaType"]}
    assert (await node.ask("PUT", "/@s%2fpkg", body=body)).status == 201
    [manifest] = (await node.get("/@s%2fpkg")).json()["versions"].values()
    shown = manifest["dist"]["attestations"]
    assert shown == {
        "url": f"{node.url}/-/npm/v1/attestations/@s%2fpkg@1.0.0",
        "provenance": {"predicateType": PREDICATE},
    }
    answer = await node.get(shown["url"].removeprefix(node.url))
    assert answer.json() == {"attestations": [{"predicateType": PREDICATE, "bundle": bundle}]}
    document = await packument(node, "@s%2fpkg")
    assert (await node.ask("DELETE", f"/@s%2fpkg/-rev/{document['_rev']}")).status == 201
    assert (await node.get(shown["url"].removeprefix(node.url))).status == 404


async def test_provenance_of_another_tarball(node: Local) -> None:
    body = publish_body("pkg", "2.0.0")
    body["_attachments"]["pkg-2.0.0.sigstore"] = {"data": orjson.dumps(make_bundle(sha512(b"other"))).decode()}
    answer = await node.ask("PUT", "/pkg", body=body)
    assert (answer.status, "not about the tarball" in answer.json()["error"]) == (400, True)
    assert list((await packument(node))["versions"]) == ["1.0.0", "1.1.0"]
