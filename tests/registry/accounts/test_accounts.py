from pathlib import Path

import orjson
import pytest
from starlette.requests import Request

from libreseed.accounts.attempts import Attempts
from libreseed.accounts.login import Login
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import ForbiddenError
from libreseed.registry.accounts.accounts import AccountEndpoints
from libreseed.registry.http.identity import Identity
from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.second_factors import SecondFactorStore
from libreseed.store.tables.tokens import TokenStore
from support.running import Local, StartNode

ANN = "/-/user/org.couchdb.user:ann"


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    return await start_node()


async def test_login(node: Local) -> None:
    anonymous = await node.get("/-/whoami")
    assert (anonymous.status, anonymous.source) == (401, "store")
    assert anonymous.headers["WWW-Authenticate"] == "Bearer"
    assert f"npm login --registry {node.url}" in anonymous.json()["error"]
    await node.log_in()
    assert (await node.get("/-/whoami")).json() == {"username": "ann"}
    first = node.token
    await node.log_in()
    assert node.token != first
    for scheme in ("Bearer", "bearer"):
        assert (await node.get("/-/whoami", Authorization=f"{scheme} {first}")).status == 200


async def test_other_credentials(node: Local) -> None:
    for header in ["Bearer", "Bearer x", "Basic {}", "{}", "Bearer é", "Bearer {} x"]:
        await node.log_in()
        assert (await node.get("/-/whoami", Authorization=header.format(node.token))).status == 401


async def test_wrong_password(node: Local) -> None:
    await node.log_in()
    answer = await node.ask("PUT", ANN, body={"name": "ann", "password": "wrong"})
    assert answer.status == 401
    assert "token" not in answer.json()


async def test_malformed_logins(node: Local) -> None:
    for body in [
        b"",
        b"{",
        b"[]",
        {},
        {"name": "ann"},
        {"name": "ann", "password": ""},
        {"name": 1, "password": "x"},
        {"name": "bob", "password": "x"},
    ]:
        answer = await node.ask("PUT", ANN, body=body)
        assert (answer.status, answer.source) == (400, "store")


async def test_a_login_is_small(node: Local) -> None:
    answer = await node.ask("PUT", ANN, body={"name": "ann", "password": "x" * (64 << 10)})
    assert (answer.status, "larger than" in answer.json()["error"]) == (413, True)


async def test_a_name_is_short(node: Local) -> None:
    name = "a" * 65
    assert (
        await node.ask("PUT", f"/-/user/org.couchdb.user:{name}", body={"name": name, "password": "x"})
    ).status == 400


async def test_logout(node: Local) -> None:
    await node.log_in()
    other = node.token
    await node.log_in()
    assert (await node.ask("DELETE", f"/-/user/token/{other}")).status == 200
    assert (await node.get("/-/whoami", Authorization=f"Bearer {other}")).status == 401
    assert (await node.get("/-/whoami")).status == 200
    assert (await node.ask("DELETE", f"/-/user/token/{node.token}", Authorization="Bearer x")).status == 401


async def test_accounts_outlive_a_restart(node: Local, start_node: StartNode) -> None:
    await node.log_in()
    await node.stop()
    again = await start_node()
    again.token = node.token
    assert (await again.get("/-/whoami")).json() == {"username": "ann"}


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1", "stranger"])
async def test_strangers_make_no_accounts(tmp_path: Path, client: str) -> None:
    """On a server for a team, whoever reaches the port must not be able to give himself the right to publish."""
    database = await Database.open(tmp_path / "libreseed.db")
    accounts, tokens = AccountStore(database), TokenStore(database)
    factors = SecondFactors(SecondFactorStore(database), Attempts())
    endpoints = AccountEndpoints(accounts, tokens, Login(accounts, factors), Identity(tokens, factors))
    try:
        with pytest.raises(ForbiddenError):
            await endpoints.login(login_from(client))
        assert not await accounts.exists("ann")
        await accounts.create("ann", "secret")
        assert (await endpoints.login(login_from(client))).status_code == 201
    finally:
        await database.close()


def login_from(client: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": orjson.dumps({"name": "ann", "password": "secret"}), "more_body": False}

    scope = {"type": "http", "method": "PUT", "headers": [], "client": (client, 5000), "path_params": {"user": "ann"}}
    return Request(scope, receive)
