import asyncio

import pytest

from libreseed.errors import StoreError
from libreseed.packages.integrity import format_integrity, sha512
from support.packages import make_tarball, publish_body
from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import Drop, FakeRegistry


@pytest.fixture
async def node(start_node: StartNode, upstream: FakeRegistry) -> Local:
    return await start_node(upstream=upstream.url)


async def test_ping(node: Local) -> None:
    answer = await node.get("/-/ping")
    assert (answer.status, answer.json(), answer.source) == (200, {}, "store")


@pytest.mark.parametrize("path", ["/", "/-/libreseed/status"])
async def test_status(node: Local, upstream: FakeRegistry, path: str) -> None:
    offer(upstream, "pkg", "1.0.0")
    for each in ("/pkg", "/pkg", "/pkg/-/pkg-1.0.0.tgz"):
        await node.get(each)
    status = (await node.get(path)).json()
    assert status["served"] == {"store": 1, "swarm": 0, "upstream": 2, "stale": 0}
    assert status["upstream"] == {"url": upstream.url, "requests": 2}
    assert (status["store"]["packages"], status["store"]["tarballs"]) == (1, 1)
    assert status["publisher"].startswith("ed25519:")


async def test_what_there_is_not(node: Local, upstream: FakeRegistry) -> None:
    for method, path, status in [
        ("GET", "/-/nothing", 404),
        ("POST", "/-/v1/logout", 404),
        ("POST", "/-/npm/v1/security/nothing", 404),
        ("GET", "/pkg/a/b/c", 404),
        ("GET", "/..%2f..%2fetc", 400),
        ("GET", "/%00", 400),
        ("GET", "/node_modules", 400),
        ("GET", "/pkg%20", 400),
        ("DELETE", "/pkg", 405),
        ("PATCH", "/-/ping", 405),
        ("POST", "/pkg", 405),
    ]:
        answer = await node.ask(method, path)
        assert (answer.status, answer.source) == (status, "store")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json()["error"]
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("error", "says"), [(StoreError("The disk is full."), "The disk is full."), (KeyError("x"), "log")]
)
async def test_faults_of_our_own(
    node: Local, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, says: str
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("libreseed.delivery.metadata.packuments.PackumentDelivery.find", fail)
    answer = await node.get("/pkg")
    assert (answer.status, answer.source) == (500, "store")
    assert says in answer.json()["error"]
    assert "KeyError" not in answer.body.decode()


async def test_publish(node: Local) -> None:
    await node.log_in()
    published = await node.publish("@s/pkg", "1.0.0")
    assert (published.status, published.source, published.json()["ok"]) == (201, "store", True)
    packument = (await node.get("/@s/pkg")).json()
    assert packument["dist-tags"] == {"latest": "1.0.0"}
    assert packument["maintainers"] == [{"name": "ann", "email": ""}]
    tarball = make_tarball("@s/pkg", "1.0.0")
    assert packument["versions"]["1.0.0"]["dist"]["integrity"] == format_integrity(sha512(tarball))
    answer = await node.get("/@s/pkg/-/pkg-1.0.0.tgz")
    assert (answer.body, answer.source) == (tarball, "store")


async def test_publish_without_login(node: Local) -> None:
    answer = await node.publish("pkg", "1.0.0")
    assert (answer.status, answer.source) == (401, "store")
    assert (await node.get("/pkg")).status == 404


async def test_a_version_is_published_once(node: Local) -> None:
    await node.log_in()
    answers = await asyncio.gather(
        *(node.publish("pkg", "1.0.0", make_tarball("pkg", "1.0.0", bytes([n]))) for n in range(4))
    )
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert "never changes" in (await node.publish("pkg", "1.0.0")).json()["error"]
    won = next(number for number, answer in enumerate(answers) if answer.status == 201)
    assert (await node.get("/pkg/-/pkg-1.0.0.tgz")).body == make_tarball("pkg", "1.0.0", bytes([won]))


async def test_publish_under_the_name_of_somebody_else(node: Local, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    await node.log_in()
    answer = await node.publish("pkg", "2.0.0")
    assert (answer.status, "belongs to somebody else" in answer.json()["error"]) == (403, True)
    assert list((await node.get("/pkg")).json()["versions"]) == ["1.0.0"]


async def test_publish_when_the_owner_cannot_be_told(node: Local, upstream: FakeRegistry) -> None:
    upstream.on("/pkg", Drop())
    await node.log_in()
    answer = await node.publish("pkg", "2.0.0")
    assert (answer.status, "cannot be told now" in answer.json()["error"]) == (503, True)
    assert asked(upstream, "/pkg") > 0


async def test_malformed_publish(node: Local) -> None:
    for body in [b"", b"nonsense", {}, publish_body("other", "1.0.0"), publish_body("pkg", "1")]:
        await node.log_in()
        answer = await node.ask("PUT", "/pkg", body=body)
        assert (answer.status, answer.source) == (400, "store")


async def test_publish_with_a_wrong_hash(node: Local) -> None:
    await node.log_in()
    body = publish_body("pkg", "1.0.0")
    body["versions"]["1.0.0"]["dist"]["integrity"] = format_integrity(sha512(b"other"))
    answer = await node.ask("PUT", "/pkg", body=body)
    assert answer.status == 400, "npm need not try that again"
    assert (await node.get("/pkg")).status == 404


async def test_publish_of_something_else(node: Local) -> None:
    await node.log_in()
    for path in ("/pkg/latest", "/-/all"):
        assert (await node.ask("PUT", path, body={})).status == 404


async def test_a_publish_that_breaks_off(node: Local, caplog: pytest.LogCaptureFixture) -> None:
    await node.log_in()
    host, port = node.host.replace("localhost", "127.0.0.1").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"PUT /pkg HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {node.token}\r\nContent-Length: 999\r\n\r\n"
    writer.write(head.encode() + b"{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await node.get("/-/ping")).status == 200
    await node.stop()
    assert not [record for record in caplog.records if record.exc_info]
