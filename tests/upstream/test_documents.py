"""`Upstream.document`: endpoints that not every registry has."""

import gzip
from collections.abc import AsyncIterator

import pytest

from libreseed.errors import LibreseedError, NotFoundError, UnauthorizedError, UnavailableError
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.settings import Credentials, UpstreamSettings
from upstream.fake_registry import FakeRegistry, Hang, Reply

KEYS = "-/npm/v1/keys"
BODY = b'{"keys":[]}'


@pytest.fixture
async def upstream(registry: FakeRegistry) -> AsyncIterator[Upstream]:
    known = {f"//127.0.0.1:{registry.port}/": Credentials("Bearer secret")}
    settings = UpstreamSettings(registry.url, {"@corp": f"{registry.url}corp/"}, known)
    async with Upstream(settings, node_id="node-1", limits=Limits(backoff=0.0)) as opened:
        yield opened


async def get(upstream: Upstream, path: str = KEYS, *, name: str = "", anonymous: bool = False) -> bytes:
    return await upstream.document(path, limit=100, timeout=5.0, name=name, anonymous=anonymous)


async def post(upstream: Upstream, body: bytes = b"{}", timeout: float = 5.0) -> bytes:
    return await upstream.document("-/audit", limit=100, timeout=timeout, body=body)


async def test_get(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on(f"/{KEYS}", Reply(503), Reply(body=BODY))
    assert await get(upstream) == BODY
    assert [request.method for request in registry.requests] == ["GET", "GET"]
    assert registry.requests[-1].headers["authorization"] == "Bearer secret"
    assert await get(upstream, anonymous=True) == BODY
    assert "authorization" not in registry.requests[-1].headers


async def test_a_scope_has_its_own_registry(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on("/corp/-/x", Reply(body=BODY))
    assert await get(upstream, "-/x", name="@corp/tool") == BODY


async def test_post(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on("/-/audit", Reply(307, headers={"Location": "/there"}))
    registry.on("/there", Reply(body=BODY))
    body = b'{"x":"' + b"y" * 3_000_000 + b'"}'
    assert await post(upstream, body) == BODY
    for request in registry.requests:
        assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
        assert gzip.decompress(request.body) == body


async def test_a_post_is_sent_once_and_to_nobody_else(registry: FakeRegistry, upstream: Upstream) -> None:
    async with FakeRegistry() as other:
        other.on("/there", Reply(body=BODY))
        elsewhere = {"Location": f"{other.url}there"}
        for reply in (Reply(503), Reply(307, headers=elsewhere), Reply(302, headers=elsewhere)):
            registry.requests.clear()
            registry.on("/-/audit", reply)
            with pytest.raises(UnavailableError):
                await post(upstream)
            assert len(registry.requests) == 1
        assert other.requests == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        *[(Reply(status), NotFoundError) for status in (400, 404, 405, 410, 501)],
        (Reply(401), UnauthorizedError),
        (Reply(body=b'{"x":"' + b"y" * 100 + b'"}'), UnavailableError),
        (Reply(body=b"<html>"), UnavailableError),
    ],
)
async def test_faults(registry: FakeRegistry, upstream: Upstream, reply: Reply, error: type[LibreseedError]) -> None:
    registry.on(f"/{KEYS}", reply)
    registry.on("/-/audit", reply)
    with pytest.raises(error):
        await get(upstream)
    with pytest.raises(error):
        await post(upstream)


async def test_nobody_waits_longer_than_the_time_out(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on("/-/audit", Hang())
    with pytest.raises(UnavailableError, match=r"within 0\.05 s"):
        await post(upstream, timeout=0.05)
