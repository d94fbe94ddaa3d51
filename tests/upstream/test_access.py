import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from libreseed.errors import UnavailableError
from libreseed.upstream import access
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.packuments import Validators
from libreseed.upstream.settings import Credentials, Tls, UpstreamSettings
from upstream.fake_registry import Drop, FakeRegistry, Hang, Reply

BODY = b'{"name":"lodash"}'
TARBALL = bytes(range(256)) * 64
FILE = "lodash-1.0.0.tgz"
JSON = {"Content-Type": "application/json; charset=utf-8"}
SECRET = Credentials("Bearer secret")
PATIENT = Limits(backoff=0.0, idle=60.0, access=60.0)
HASTY = Limits(backoff=0.0, idle=60.0, access=0.05)

Connect = Callable[..., Upstream]


@pytest.fixture
async def connect(registry: FakeRegistry) -> AsyncIterator[Connect]:
    """Makes upstreams on the scripted registry, for a user who is logged in to it."""
    made: list[Upstream] = []

    def make(limits: Limits = PATIENT, **settings: object) -> Upstream:
        chosen = {"registry": registry.url, "credentials": {f"//127.0.0.1:{registry.port}/": SECRET}, **settings}
        made.append(Upstream(UpstreamSettings(**chosen), node_id="node-1", limits=limits))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()


async def packument_restricted(upstream: Upstream, name: str = "lodash") -> bool:
    async with asyncio.timeout(10):
        return (await upstream.packument(name)).restricted


async def tarball_restricted(upstream: Upstream, name: str = "lodash", file: str = FILE, url: str = "") -> bool:
    opened = upstream.tarball_at(url, name=name) if url else upstream.tarball(name, file)
    async with opened as stream:
        assert b"".join([chunk async for chunk in stream]) == TARBALL
        return await stream.restricted()


def heads(registry: FakeRegistry) -> list[str]:
    return [request.target for request in registry.requests if request.method == "HEAD"]


def attempts(public: Reply | Drop) -> int:
    """One, whatever comes of it; but aiohttp itself repeats what was broken off without an answer."""
    return 2 if isinstance(public, Drop) else 1


@pytest.mark.parametrize(
    ("public", "restricted"),
    [
        pytest.param(Reply(headers=JSON), False, id="anybody gets it"),
        pytest.param(Reply(headers={"Content-Type": "application/vnd.npm.install-v1+json"}), False, id="npm's type"),
        pytest.param(Reply(headers={"Content-Type": "text/html"}), True, id="a page to log in at"),
        pytest.param(Reply(), True, id="of no type"),
        pytest.param(Reply(401), True, id="401"),
        pytest.param(Reply(403), True, id="403"),
        pytest.param(Reply(404), True, id="404"),
        pytest.param(Reply(405), True, id="no HEAD"),
        pytest.param(Reply(503), True, id="failing"),
        pytest.param(Drop(), True, id="broken off"),
        pytest.param(Reply(302, headers={"Location": "/login"}), True, id="redirected to a page to log in at"),
        pytest.param(Reply(302, headers={"Location": "/mirror"}), False, id="redirected to what is public"),
    ],
)
async def test_packuments(registry: FakeRegistry, connect: Connect, public: Reply | Drop, restricted: bool) -> None:
    registry.on("/lodash", Reply(body=BODY))
    registry.on("HEAD /lodash", public)
    registry.on("HEAD /login", Reply(headers={"Content-Type": "text/html"}))
    registry.on("HEAD /mirror", Reply(headers=JSON))
    assert await packument_restricted(connect()) is restricted
    assert heads(registry).count("/lodash") == attempts(public)
    for request in registry.requests:
        assert request.headers.get("authorization") == ("Bearer secret" if request.method == "GET" else None)


@pytest.mark.parametrize(
    ("public", "ours", "restricted"),
    [
        pytest.param(Reply(length=len(TARBALL)), {}, False, id="same length"),
        pytest.param(Reply(length=len(TARBALL) + 1), {}, True, id="other length"),
        pytest.param(Reply(headers={"ETag": '"1"'}), {"ETag": '"1"'}, False, id="same ETag"),
        pytest.param(Reply(headers={"ETag": '"2"'}), {"ETag": '"1"'}, True, id="other ETag"),
        pytest.param(Reply(length=-1), {}, True, id="nothing to compare"),
        pytest.param(Reply(401, length=len(TARBALL)), {}, True, id="401"),
        pytest.param(Reply(503, length=len(TARBALL)), {}, True, id="failing"),
        pytest.param(Drop(), {}, True, id="broken off"),
    ],
)
async def test_tarballs(
    registry: FakeRegistry, connect: Connect, public: Reply | Drop, ours: dict[str, str], restricted: bool
) -> None:
    registry.on(f"/lodash/-/{FILE}", Reply(body=TARBALL, headers=ours))
    registry.on(f"HEAD /lodash/-/{FILE}", public)
    upstream = connect()
    assert await tarball_restricted(upstream) is restricted
    assert len(heads(registry)) == attempts(public)
    assert upstream.requests == 1 + attempts(public)


async def test_an_answer_that_is_late_leaves_it_restricted(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(body=BODY))
    registry.on("HEAD /lodash", Hang())
    registry.on(f"/lodash/-/{FILE}", Reply(body=TARBALL))
    registry.on(f"HEAD /lodash/-/{FILE}", Hang())
    assert await packument_restricted(connect(HASTY))
    assert await tarball_restricted(connect(HASTY))


async def test_a_tarball_without_length_or_etag_is_restricted(registry: FakeRegistry, connect: Connect) -> None:
    registry.on(f"/lodash/-/{FILE}", Reply(body=TARBALL, length=-1))
    registry.on(f"HEAD /lodash/-/{FILE}", Reply(length=-1))
    assert await tarball_restricted(connect())


async def test_who_shows_no_credentials_is_not_in_doubt(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(body=BODY))
    registry.on(f"/lodash/-/{FILE}", Reply(body=TARBALL))
    upstream = connect(credentials={})
    assert not await packument_restricted(upstream)
    assert not await tarball_restricted(upstream)
    assert heads(registry) == []


async def test_a_packument_that_is_not_modified(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(304))
    registry.on("/tool", Reply(304))
    registry.on("HEAD /lodash", Reply(headers=JSON))
    upstream = connect()
    assert not (await upstream.packument("lodash", Validators("1"))).restricted
    assert (await upstream.packument("tool", Validators("1"))).restricted


@pytest.mark.parametrize("public", [True, False])
async def test_a_packuments_verdict_holds_for_its_tarballs(
    registry: FakeRegistry, connect: Connect, public: bool
) -> None:
    upstream = connect()
    for name in ("lodash", "@babel/core"):
        path = f"/{name.replace('/', '%2f')}"
        registry.on(path, Reply(body=BODY))
        registry.on(f"HEAD {path}", Reply(headers=JSON) if public else Reply(401))
        for file in ("a-1.0.0.tgz", "a-1.0.1.tgz"):
            registry.on(f"/{name}/-/{file}", Reply(body=TARBALL))
        for _ in range(2):
            assert await packument_restricted(upstream, name) is not public
            assert await tarball_restricted(upstream, name, "a-1.0.0.tgz") is not public
            assert await tarball_restricted(upstream, url=f"{registry.url}{name}/-/a-1.0.1.tgz") is not public
    assert heads(registry) == ["/lodash", "/@babel%2fcore"]


async def test_a_packuments_verdict_holds_for_nothing_else(registry: FakeRegistry, connect: Connect) -> None:
    async with FakeRegistry() as files:
        both = {f"//127.0.0.1:{server.port}/": SECRET for server in (registry, files)}
        upstream = connect(credentials=both)
        registry.on("/lodash", Reply(body=BODY))
        registry.on("HEAD /lodash", Reply(headers=JSON))
        assert not await packument_restricted(upstream)
        for server, path in (
            (registry, "/secret/-/secret-1.0.0.tgz"),
            (registry, "/lodash/-/..%2F..%2Fsecret%2F-%2Fsecret-1.0.0.tgz"),
            (registry, "/lodash/-/deeper/lodash-1.0.0.tgz"),
            (files, "/lodash/-/lodash-1.0.0.tgz"),
        ):
            server.on(path, Reply(body=TARBALL))
            assert await tarball_restricted(upstream, url=f"{server.url}{path[1:]}")


async def test_a_tarballs_verdict_holds_for_its_folder_only(registry: FakeRegistry, connect: Connect) -> None:
    upstream = connect()
    for path in ("/lodash/-/lodash-1.0.0.tgz", "/lodash/-/lodash-1.0.1.tgz", "/tool/-/tool-1.0.0.tgz"):
        registry.on(path, Reply(body=TARBALL))
    registry.on("/lodash", Reply(body=BODY))
    registry.on("HEAD /lodash/-/lodash-1.0.0.tgz", Reply(length=len(TARBALL)))
    assert not await tarball_restricted(upstream, "lodash", "lodash-1.0.0.tgz")
    assert not await tarball_restricted(upstream, "lodash", "lodash-1.0.1.tgz")
    assert await tarball_restricted(upstream, "tool", "tool-1.0.0.tgz")
    assert await packument_restricted(upstream)
    assert heads(registry) == ["/lodash/-/lodash-1.0.0.tgz", "/tool/-/tool-1.0.0.tgz", "/lodash"]


@pytest.mark.parametrize(("again", "asked"), [(3600.0, 1), (0.0, 2)])
async def test_verdicts_are_remembered_for_a_time(
    registry: FakeRegistry, connect: Connect, again: float, asked: int
) -> None:
    registry.on("/lodash", Reply(body=BODY))
    registry.on("HEAD /lodash", Reply(401), Reply(headers=JSON))
    upstream = connect(Limits(access_again=again))
    assert await packument_restricted(upstream)
    assert await packument_restricted(upstream) is (asked == 1)
    assert len(heads(registry)) == asked


async def test_not_too_many_verdicts_are_remembered(
    registry: FakeRegistry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_KEPT", 2)  # a packument takes two
    for name in ("a", "b"):
        registry.on(f"/{name}", Reply(body=BODY))
    upstream = connect()
    for name in ("a", "b", "b", "a"):
        await packument_restricted(upstream, name)
    assert heads(registry) == ["/a", "/b", "/a"]


async def test_what_has_a_secret_in_its_url_is_restricted(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/x.tgz?signature=1", Reply(body=TARBALL))
    registry.on("HEAD /x.tgz?signature=1", Reply(length=len(TARBALL)))
    assert await tarball_restricted(connect(), url=f"{registry.url}x.tgz?signature=1")
    assert heads(registry) == []


async def test_credentials_that_a_redirect_brought_leave_it_restricted(
    registry: FakeRegistry, connect: Connect
) -> None:
    registry.on("/lodash", Reply(302, headers={"Location": "/inside/lodash"}))
    registry.on("/inside/lodash", Reply(body=BODY))
    registry.on("HEAD /lodash", Reply(headers=JSON))
    assert await packument_restricted(connect(credentials={f"//127.0.0.1:{registry.port}/inside/": SECRET}))


async def test_a_scope_with_a_registry_and_credentials_of_its_own_is_restricted_unasked(
    registry: FakeRegistry, connect: Connect
) -> None:
    async with FakeRegistry() as files:
        upstream = connect(registry="http://nowhere.invalid/", scopes={"@corp": registry.url})
        registry.on("/@corp%2ftool", Reply(body=BODY))
        registry.on("HEAD /@corp%2ftool", Reply(headers=JSON))
        files.on("/tool.tgz", Reply(body=TARBALL))
        assert await packument_restricted(upstream, "@corp/tool")
        assert await tarball_restricted(upstream, "@corp/tool", url=f"{files.url}tool.tgz")
    assert heads(registry) == []


async def test_the_question_is_asked_beside_the_fetch(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Hang())
    registry.on("HEAD /lodash", Hang())
    upstream = connect(Limits())
    caller = asyncio.ensure_future(upstream.packument("lodash"))
    while len(registry.requests) < 2:
        registry.asked.clear()
        await asyncio.wait_for(registry.asked.wait(), 5)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)


async def test_a_failed_fetch_drops_the_question(registry: FakeRegistry, connect: Connect) -> None:
    registry.on(f"/lodash/-/{FILE}", Reply(400))
    registry.on(f"HEAD /lodash/-/{FILE}", Hang())
    before = asyncio.all_tasks()
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(tarball_restricted(connect(Limits())), 5)
    assert not [task for task in asyncio.all_tasks() - before if "Access.ask" in str(task.get_coro())]


async def test_a_client_certificate_is_not_shown(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cert)
    tls = Tls(cafile=str(cert), cert=cert.read_text(), key=key.read_text())
    async with FakeRegistry(context) as secure:
        secure.on("/lodash", Reply(body=BODY))
        secure.on("HEAD /lodash", Reply(headers=JSON))
        async with Upstream(UpstreamSettings(secure.url, tls=tls), node_id="node-1", limits=PATIENT) as upstream:
            assert await packument_restricted(upstream)
        assert heads(secure) == []
