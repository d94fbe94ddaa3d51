"""Names that a declared upstream has for its own: nobody else is asked for them, and nobody else learns of them."""

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from libreseed.network.overlay.overlay import Overlay
from libreseed.packages.integrity import sha512
from support.running import StartNode, asked, eventually, offer
from upstream.fake_registry import Drop, FakeRegistry, Reply

NAMES = ("@corp/tool", "internal-x")


def path_of(name: str) -> str:
    return "/" + name.replace("/", "%2f")


def tarball_of(name: str) -> str:
    return f"/{name}/-/{name.rpartition('/')[2]}-1.0.0.tgz"


@pytest.fixture
async def corp() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as server:
        yield server


@pytest.fixture
def settings(upstream: FakeRegistry, corp: FakeRegistry) -> dict[str, Any]:
    """A public registry, and one of the company's; a stranger has put the company's names on the public one."""
    for name in (*NAMES, "lodash", "@corporate/tool"):
        offer(upstream, name, "1.0.0", filler=b"of a stranger")
    table = {"url": corp.url, "packages": ["@corp/*", "internal-*"], "token": "secret", "retries": 0}
    return {"upstream": upstream.url, "upstreams": {"corp": table}}


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the overlay is asked for."""
    asked_for: list[object] = []

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            asked_for.append(arguments[1:])
            return method(*arguments)

        return call

    for method in (Overlay.find_records, Overlay.find_holders):
        monkeypatch.setattr(Overlay, method.__name__, watched(method))
    return asked_for


@pytest.mark.parametrize("name", NAMES)
async def test_they_come_from_there_alone(
    start_node: StartNode,
    upstream: FakeRegistry,
    corp: FakeRegistry,
    settings: dict[str, Any],
    lookups: list[object],
    name: str,
) -> None:
    tarball = offer(corp, name, "1.0.0", filler=b"ours")
    node = await start_node(**settings)
    assert (await node.get(path_of(name))).status == 200
    assert (await node.get(tarball_of(name))).body == tarball
    assert {request.headers["authorization"] for request in corp.requests} == {"Bearer secret"}
    assert (upstream.requests, lookups) == ([], [])
    status = (await node.get("/-/libreseed/status")).json()
    assert (status["mirroring"], status["announcing"], status["store"]["tarballs"]) == (0, 0, 1)
    named = node.node.stores.catalogue.tarball(name, tarball_of(name).rpartition("/")[2])
    assert named is not None
    assert node.node.networks.seeding.find(named.digest) is not None
    assert node.node.networks.seeding.list_shared() == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("fault", "status"), [(Reply(404), 404), (Reply(500), 503), (Drop(), 503), (Reply(401), 401)])
async def test_what_is_not_there_is_nowhere(
    start_node: StartNode,
    upstream: FakeRegistry,
    corp: FakeRegistry,
    settings: dict[str, Any],
    lookups: list[object],
    name: str,
    fault: Reply | Drop,
    status: int,
) -> None:
    corp.fault = fault
    node = await start_node(**settings)
    for path in (path_of(name), tarball_of(name), f"/-/npm/v1/attestations/{name.replace('/', '%2f')}@1.0.0"):
        assert (await node.get(path)).status == status
    assert (upstream.requests, lookups) == ([], [])


async def test_all_other_names_come_from_the_default_source(
    start_node: StartNode, upstream: FakeRegistry, corp: FakeRegistry, settings: dict[str, Any]
) -> None:
    node = await start_node(**settings)
    for name in ("lodash", "@corporate/tool"):
        assert (await node.get(path_of(name))).status == 200
    assert (len(upstream.requests), corp.requests) == (2, [])
    assert all("authorization" not in request.headers for request in upstream.requests)


async def test_without_a_default_source_there_are_declared_ones(
    start_node: StartNode, corp: FakeRegistry, settings: dict[str, Any]
) -> None:
    offer(corp, "@corp/tool", "1.0.0")
    node = await start_node(**settings | {"upstream": "none"})
    assert (await node.get("/@corp%2ftool")).status == 200
    assert (await node.get("/lodash")).status == 404  # as without any upstream
    assert asked(corp, "/lodash") == 0


@pytest.mark.parametrize("name", NAMES)
async def test_what_was_stored_before_they_were_declared_is_not_theirs(
    start_node: StartNode, upstream: FakeRegistry, corp: FakeRegistry, settings: dict[str, Any], name: str
) -> None:
    before = await start_node(upstream=upstream.url)
    assert (await before.get(path_of(name))).status == 200
    assert (await before.get(tarball_of(name))).status == 200
    await before.stop()
    node = await start_node(**settings)
    assert (await node.get(path_of(name))).status == 404
    assert "if-none-match" not in corp.requests[-1].headers
    assert (await node.get(tarball_of(name))).status == 404
    offer(corp, name, "1.0.0", "2.0.0")
    ours = corp.script[tarball_of(name)][0]
    assert isinstance(ours, Reply)
    assert (await node.get(tarball_of(name))).body == ours.body
    node.node.delivery.metadata.packuments._missing.clear()
    assert set((await node.get(path_of(name))).json()["versions"]) == {"1.0.0", "2.0.0"}
    again = await node.get(tarball_of(name))
    assert (again.source, again.body) == ("store", ours.body)


async def test_searches_and_audits_do_not_name_them(
    start_node: StartNode, upstream: FakeRegistry, settings: dict[str, Any]
) -> None:
    upstream.on("/-/npm/v1/security/advisories/bulk", Reply(body=b"{}"))
    node = await start_node(**settings)
    await node.log_in()
    for text in ("@corp/tool", "@corp", "scope:corp", "internal-x tool"):
        assert (await node.get(f"/-/v1/search?text={text.replace(' ', '+')}")).status == 200
    assert upstream.requests == []
    body = {name: ["1.0.0"] for name in (*NAMES, "lodash")}
    assert (await node.ask("POST", "/-/npm/v1/security/advisories/bulk", body=body)).status == 200
    [request] = upstream.requests
    assert gzip.decompress(request.body) == b'{"lodash":["1.0.0"]}'


async def test_they_cannot_be_published_here(
    start_node: StartNode, corp: FakeRegistry, settings: dict[str, Any]
) -> None:
    node = await start_node(**settings)
    await node.log_in()
    answer = await node.publish("internal-x", "1.0.0")
    assert (answer.status, "upstream 'corp'" in answer.json()["error"]) == (403, True)
    assert corp.requests == []


async def test_a_silent_one_holds_nobody_else_up(
    start_node: StartNode, upstream: FakeRegistry, corp: FakeRegistry, settings: dict[str, Any]
) -> None:
    corp.fault = Drop()
    node = await start_node(**settings)
    for number in range(12):
        assert (await node.get(f"/internal-{number}")).status == 503
    assert (await node.get("/lodash")).status == 200
    states = {each["name"]: each for each in (await node.get("/-/libreseed/status")).json()["upstreams"]}
    assert (states["default"]["state"], states["corp"]["state"]) == ("up", "down")
    assert states["corp"]["packages"] == ["@corp/*", "internal-*"]
    left = await node.get("/internal-x")
    assert ("tried again in" in left.json()["error"], int(left.headers["Retry-After"]) >= 1) == (True, True)


async def test_offline_nobody_is_asked(
    start_node: StartNode, upstream: FakeRegistry, corp: FakeRegistry, settings: dict[str, Any], tmp_path: Path
) -> None:
    tarball = offer(corp, "@corp/tool", "1.0.0")
    online = await start_node(**settings)
    for name in ("@corp/tool", "lodash"):
        assert (await online.get(path_of(name))).status == 200
        assert (await online.get(tarball_of(name))).status == 200
    upstream.requests.clear()
    corp.requests.clear()
    for extra in ({"port": 0}, {"max_age": 0.0}):
        await online.stop()
        offline = online = await start_node(**settings, offline=True, **extra)
        assert (await offline.get("/@corp%2ftool")).source == ("stale" if "max_age" in extra else "store")
        assert (await offline.get(tarball_of("@corp/tool"))).body == tarball
        for path in ("/@corp%2fnew", "/new", "/new/-/new-1.0.0.tgz"):
            missing = await offline.get(path)
            assert (missing.status, "offline" in missing.json()["error"]) == (503, True)
    assert (upstream.requests, corp.requests) == ([], [])
    states = (await offline.get("/-/libreseed/status")).json()["upstreams"]
    assert {each["state"] for each in states} == {"offline"}


async def test_offline_the_swarm_still_has_it(
    start_node: StartNode, upstream: FakeRegistry, settings: dict[str, Any]
) -> None:
    holder = await start_node("holder", upstream=upstream.url)
    packument = (await holder.get("/lodash")).json()
    tarball = (await holder.get(tarball_of("lodash"))).body
    await eventually(
        lambda: holder.node.networks.seeding.shared(sha512(tarball)) and not holder.node.networks.announcing.waiting
    )
    upstream.requests.clear()
    node = await start_node("node", holder, **settings, offline=True)
    integrity = packument["versions"]["1.0.0"]["dist"]["integrity"]
    found = await node.get(tarball_of("lodash"), pacote_integrity=integrity)
    assert (found.source, found.body) == ("swarm", tarball)
    assert upstream.requests == []
