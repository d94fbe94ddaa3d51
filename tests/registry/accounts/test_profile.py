import base64
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from libreseed.accounts.totp import STEP, code_at
from support.running import Answer, Local, StartNode

USER = "/-/npm/v1/user"
ANN = "/-/user/org.couchdb.user:ann"
PASSWORD = "correct horse"


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    node = await start_node()
    await node.log_in()
    return node


async def set_profile(node: Local, otp: str = "", **fields: Any) -> Answer:
    return await node.ask("POST", USER, body=fields, **({"npm-otp": otp} if otp else {}))


async def enable(node: Local, mode: str) -> tuple[list[str], str]:
    """Switch one-time passwords on as npm does; return the recovery codes, and the authenticator's next code."""
    begun = await set_profile(node, tfa={"password": PASSWORD, "mode": mode})
    secret = base64.b32decode(parse_qs(urlsplit(begun.json()["tfa"]).query)["secret"][0])
    step = int(time.time()) // STEP
    assert (await node.get(USER)).json()["tfa"] == {"mode": mode, "pending": True}
    confirmed = await set_profile(node, tfa=[code_at(secret, step)])
    assert (await node.get(USER)).json()["tfa"] == {"mode": mode, "pending": False}
    return confirmed.json()["tfa"], code_at(secret, step + 1)


async def test_get_and_set(node: Local) -> None:
    found = (await node.get(USER)).json()
    assert (found["name"], found["email"], found["tfa"], found["created"][-1]) == ("ann", None, None, "Z")
    changed = await set_profile(node, email="ann@example.test", fullname="Ann", homepage=None, unknown="x")
    assert changed.json() == {**found, "email": "ann@example.test", "fullname": "Ann"}
    assert (await set_profile(node, fullname=None)).json()["email"] == "ann@example.test"
    assert (await node.get(USER)).json()["fullname"] is None
    for body in ({"email": 1}, {"email": "x" * 255}, {"fullname": "a\nb"}, {"tfa": {"mode": "x"}}, {"password": "x"}):
        assert (await set_profile(node, **body)).status == 400
    assert (await node.ask("POST", USER, body=[])).status == 400
    node.token = ""
    assert (await node.get(USER)).status == 401


async def test_a_new_password(node: Local) -> None:
    wrong = await set_profile(node, password={"old": "wrong", "new": "better"})
    assert wrong.status == 401
    assert (await set_profile(node, password={"old": PASSWORD, "new": ""})).status == 400
    assert (await set_profile(node, password={"old": PASSWORD, "new": "better"})).status == 200
    assert (await node.ask("PUT", ANN, body={"name": "ann", "password": PASSWORD})).status == 401
    assert (await node.ask("PUT", ANN, body={"name": "ann", "password": "better"})).status == 201


async def test_one_time_passwords(node: Local) -> None:
    await node.publish("pkg", "1.0.0")
    recovery, first = await enable(node, "auth-and-writes")
    bare = await node.publish("pkg", "2.0.0")
    assert (bare.status, bare.headers["WWW-Authenticate"]) == (401, "OTP")
    tag = "/-/package/pkg/dist-tags/beta"
    assert (await node.ask("PUT", tag, body="1.0.0", npm_otp="000000x")).headers["WWW-Authenticate"] == "OTP"
    assert (await node.ask("PUT", tag, body="1.0.0", npm_otp=first)).status == 201
    assert (await node.ask("DELETE", tag, npm_otp=first)).status == 201, "one command, several requests"
    login = {"name": "ann", "password": PASSWORD}
    for code in ("", first):
        refused = await node.ask("PUT", ANN, body=login, npm_otp=code)
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "OTP")
    assert (await node.ask("PUT", ANN, body={**login, "password": "wrong"}, npm_otp=recovery[3])).status == 401
    assert (await node.ask("PUT", ANN, body=login, npm_otp=recovery[3])).status == 201
    assert (await node.get("/-/whoami")).status == 200, "reading needs none"
    assert (await set_profile(node, fullname="Ann")).headers["WWW-Authenticate"] == "OTP"
    assert (await set_profile(node, recovery[0], fullname="Ann")).status == 200
    disable = {"password": PASSWORD, "mode": "disable"}
    assert (await set_profile(node, tfa=disable)).status == 401
    assert (await set_profile(node, recovery[1], tfa={**disable, "password": "wrong"})).status == 401
    assert (await set_profile(node, recovery[2], tfa=disable)).json() == {"tfa": None}
    assert (await node.publish("pkg", "2.0.0")).status == 201


async def test_for_logging_in_only(node: Local) -> None:
    recovery, _ = await enable(node, "auth-only")
    assert (await node.publish("pkg", "1.0.0")).status == 201
    assert (await node.ask("PUT", ANN, body={"name": "ann", "password": PASSWORD})).status == 401
    changed = await set_profile(node, recovery[0], tfa={"password": PASSWORD, "mode": "auth-and-writes"})
    assert changed.json()["tfa"]["mode"] == "auth-and-writes"
    assert (await node.publish("pkg", "2.0.0")).status == 401


async def test_a_token_may_do_without(node: Local) -> None:
    wanted = {"packages_and_scopes_permission": "read-write", "packages_all": True, "bypass_2fa": True}
    token = (await node.ask("POST", "/-/npm/v1/tokens", body={"password": PASSWORD, **wanted})).json()["token"]
    await enable(node, "auth-and-writes")
    node.token = token
    assert (await node.publish("pkg", "1.0.0")).status == 201
    assert (await set_profile(node, fullname="Ann")).status == 401
