import logging

import pytest

from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import FakeRegistry


@pytest.fixture
async def node(start_node: StartNode) -> Local:
    return await start_node(allow_hosts=("Proxy.test",))


async def test_hosts_that_are_ours(node: Local) -> None:
    for host in ["localhost", "LOCALHOST:{}", "a.localhost:1", "127.0.0.1:{}", "[::1]:{}", "10.0.0.7", "proxy.test"]:
        assert (await node.get("/-/ping", Host=host.format(node.host.rpartition(":")[2]))).status == 200


async def test_other_hosts(node: Local) -> None:
    """DNS rebinding: a page of a stranger's whose name suddenly means this machine."""
    for host in [
        "evil.test",
        "evil.test:4880",
        "localhost.evil.test",
        "xlocalhost",
        "127.0.0.1.evil.test",
        "[",
        "[::1",
        "[x]",
        ":80",
        "",
        "x@[",
        "\xe9",
    ]:
        answer = await node.get("/-/ping", Host=host)
        assert (answer.status, answer.source) == (403, "store")
        assert "--allow-host" in answer.json()["error"]


async def test_writes_from_other_pages(node: Local) -> None:
    for origin in ["http://evil.test", "https://{}", "null", "http://[", "x", "", "http://evil.test/{}"]:
        body = {"name": "ann", "password": "correct horse"}
        origin = origin.format(node.host) if "https" not in origin else "https://evil.test"
        for method, path in (("PUT", "/-/user/org.couchdb.user:ann"), ("DELETE", "/-/user/token/x"), ("POST", "/-/x")):
            answer = await node.ask(method, path, body=body, Origin=origin)
            assert (answer.status, answer.source) == (403, "store")


async def test_our_own_pages_may_write_and_all_may_read(node: Local) -> None:
    body = {"name": "ann", "password": "correct horse"}
    answer = await node.ask("PUT", "/-/user/org.couchdb.user:ann", body=body, Origin=node.url)
    assert answer.status == 201
    assert (await node.get("/-/ping", Origin="http://evil.test")).status == 200


async def test_requests_that_go_in_a_circle(node: Local, start_node: StartNode, upstream: FakeRegistry) -> None:
    """What the upstream is told about us, we know again."""
    offer(upstream, "pkg", "1.0.0")
    behind = await start_node("behind", upstream=upstream.url)
    await behind.get("/pkg")
    via = upstream.requests[0].headers["x-libreseed-via"]
    for value in (via, f"other,{via}", f"other, {via}, third"):
        answer = await behind.get("/pkg", X_Libreseed_Via=value)
        assert (answer.status, answer.source) == (503, "store")
    assert asked(upstream, "/pkg") == 1
    assert (await node.get("/-/ping", X_Libreseed_Via=via)).status == 200


async def test_every_request_is_logged(node: Local, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "libreseed.access"):
        await node.get("/@s%2fpkg")
        await node.get("/-/ping", Host="evil.test")
    lines = [record.getMessage() for record in caplog.records if record.name == "libreseed.access"]
    assert [line.rsplit(maxsplit=2)[0] for line in lines] == ["GET /@s%2fpkg 404 store", "GET /-/ping 403 store"]
