from types import SimpleNamespace
from typing import Any

import pytest

from support.running import Answer, Local, StartNode

TOKENS = "/-/npm/v1/tokens"
PASSWORD = "correct horse"
ALL = {"packages_and_scopes_permission": "read-write", "packages_all": True}


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    """A node on which ann has published pkg 1.0.0."""
    node = await start_node()
    await node.log_in()
    assert (await node.publish("pkg", "1.0.0")).status == 201
    return node


async def create(node: Local, **wanted: Any) -> Answer:
    return await node.ask("POST", TOKENS, body={"password": PASSWORD, **wanted})


async def use(node: Local, **wanted: Any) -> None:
    """Go on with a new token."""
    answer = await create(node, **wanted)
    assert answer.status == 201, answer.body
    node.token = answer.json()["token"]


async def test_list_create_revoke(node: Local) -> None:
    made = (await create(node, name="CI", **ALL, cidr_whitelist=["127.0.0.0/8"], expires=7)).json()
    listed = (await node.get(TOKENS)).json()
    assert listed["urls"] == {}
    assert len(listed["objects"]) == 2
    shown = next(entry for entry in listed["objects"] if entry["key"] == made["key"])
    assert made["token"].startswith(shown["token"])
    assert shown == {**made, "token": made["token"][:8]}
    assert (shown["name"], shown["readonly"], shown["cidr_whitelist"]) == ("CI", False, ["127.0.0.0/8"])
    assert shown["expires"] > shown["created"]
    for name in (made["key"], (await create(node, **ALL)).json()["token"]):
        assert (await node.ask("DELETE", f"{TOKENS}/token/{name}")).status == 200
        assert (await node.ask("DELETE", f"{TOKENS}/token/{name}")).status == 404
    assert (await node.get("/-/whoami", Authorization=f"Bearer {made['token']}")).status == 401
    assert len((await node.get(TOKENS)).json()["objects"]) == 1


async def test_a_token_needs_the_password(node: Local) -> None:
    assert (await create(node, password="wrong")).status == 401
    assert (await node.ask("POST", TOKENS, body={"readonly": False})).status == 400
    assert (await create(node, orgs=["acme"])).status == 400
    node.token = ""
    assert (await create(node)).status == 401


@pytest.mark.parametrize("wanted", [{"readonly": True}, {"name": None}])
async def test_a_read_only_token_changes_nothing(node: Local, wanted: dict[str, Any]) -> None:
    full = node.token
    rev = (await node.get("/pkg")).json()["_rev"]
    document = (await node.get("/pkg")).json()
    await use(node, **wanted)
    assert (await node.get("/-/whoami")).json() == {"username": "ann"}
    for method, path, body in [
        ("PUT", "/-/package/pkg/dist-tags/beta", "1.0.0"),
        ("DELETE", "/-/package/pkg/dist-tags/beta", None),
        ("PUT", "/pkg", document),
        ("PUT", f"/pkg/-rev/{rev}", {"maintainers": [{"name": "bob"}]}),
        ("PUT", f"/pkg/-rev/{rev}", {"versions": {}}),
        ("DELETE", f"/pkg/-rev/{rev}", None),
        ("DELETE", f"/pkg/-/pkg-1.0.0.tgz/-rev/{rev}", None),
        ("POST", TOKENS, {"password": PASSWORD}),
        ("POST", "/-/npm/v1/user", {"fullname": "Ann"}),
        ("DELETE", f"/-/user/token/{full}", None),
        ("DELETE", f"{TOKENS}/token/{full}", None),
        ("POST", "/-/package/pkg/access", {"access": "public"}),
        ("GET", TOKENS, None),
    ]:
        assert (await node.ask(method, path, body=body)).status == 403, (method, path)
    refused = await node.publish("pkg", "2.0.0")
    assert (refused.status, "may only read" in refused.json()["error"]) == (403, True)
    assert (await node.get("/pkg")).json() == document
    assert (await node.ask("DELETE", f"/-/user/token/{node.token}")).status == 200, "itself it may end"
    assert (await node.get("/-/whoami", Authorization=f"Bearer {full}")).status == 200


async def test_a_token_for_some_packages(node: Local) -> None:
    await use(node, packages_and_scopes_permission="read-write", packages=["pkg"], scopes=["acme"])
    assert (await node.publish("pkg", "2.0.0")).status == 201
    assert (await node.publish("@acme/tool", "1.0.0")).status == 201
    assert (await node.publish("other", "1.0.0")).status == 403
    assert (await node.ask("POST", "/-/npm/v1/user", body={"fullname": "Ann"})).status == 403


async def test_a_token_bound_to_addresses(node: Local) -> None:
    await use(node, **ALL, cidr_whitelist=["192.0.2.0/24"])
    refused = await node.get("/-/whoami")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "ipaddress")
    assert (await node.publish("pkg", "2.0.0")).status == 401
    assert (await node.get("/pkg")).status == 200, "what everybody may read needs no token"


async def test_an_expired_token(node: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    await use(node, **ALL, expires=1)
    assert (await node.get("/-/whoami")).status == 200
    monkeypatch.setattr("libreseed.registry.http.identity.time", SimpleNamespace(time=lambda: 4e9))
    expired = await node.get("/-/whoami")
    assert (expired.status, "has expired" in expired.json()["error"]) == (401, True)
