import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from libreseed.errors import (
    ConfigError,
    ForbiddenError,
    InvalidInputError,
    LibreseedError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.packuments import NotModified, Packument, Validators
from libreseed.upstream.settings import UpstreamSettings
from upstream.fake_registry import Drop, FakeRegistry, Hang, Reply

PATIENT = Limits(backoff=0.0, idle=60.0)
HASTY = Limits(backoff=0.0, idle=0.05)
BODY = b'{"name":"lodash"}'
TARBALL = bytes(range(256)) * 4096

Connect = Callable[..., Upstream]


@pytest.fixture
async def connect(registry: FakeRegistry) -> AsyncIterator[Connect]:
    """Makes upstreams on the scripted registry, and closes them."""
    made: list[Upstream] = []

    def make(settings: UpstreamSettings | None = None, limits: Limits = PATIENT) -> Upstream:
        made.append(Upstream(settings or UpstreamSettings(registry.url), node_id="node-1", limits=limits))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()


async def read(upstream: Upstream, name: str = "lodash", file: str = "lodash-1.0.0.tgz") -> bytes:
    async with upstream.tarball(name, file) as stream:
        return b"".join([chunk async for chunk in stream])


async def test_packument(registry: FakeRegistry, connect: Connect) -> None:
    state = {"ETag": '"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    registry.on("/lodash", Reply(body=BODY, headers=state))
    upstream = connect()
    packument = await upstream.packument("lodash")
    assert packument == Packument(BODY, Validators('"1"', "Mon, 01 Jan 2024 00:00:00 GMT"), restricted=False)
    assert (upstream.requests, upstream.url) == (1, registry.url)
    headers = registry.requests[0].headers
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "gzip"
    assert headers["x-libreseed-via"] == "node-1"
    assert "authorization" not in headers


async def test_names_are_spelt_as_npm_spells_them(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/@babel%2fcore", Reply(body=BODY))
    registry.on("/@babel/core/-/core-7.0.0.tgz", Reply(body=TARBALL))
    upstream = connect()
    await upstream.packument("@babel/core")
    assert await read(upstream, "@babel/core", "core-7.0.0.tgz") == TARBALL


async def test_a_registry_below_a_path_and_one_for_a_scope(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/team/lodash", Reply(body=BODY))
    registry.on("/corp/@corp%2ftool", Reply(body=BODY))
    upstream = connect(UpstreamSettings(f"{registry.url}team/", scopes={"@corp": f"{registry.url}corp/"}))
    await upstream.packument("lodash")
    await upstream.packument("@corp/tool")


async def test_not_modified(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(304))
    known = Validators('"1"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert await connect().packument("lodash", known) == NotModified(restricted=False)
    headers = registry.requests[0].headers
    assert headers["if-none-match"] == '"1"'
    assert headers["if-modified-since"] == "Mon, 01 Jan 2024 00:00:00 GMT"


async def test_not_modified_to_an_unconditional_request_is_a_fault(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(304))
    with pytest.raises(UnavailableError):
        await connect().packument("lodash")


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (404, NotFoundError, 1),
        (410, NotFoundError, 1),
        (451, NotFoundError, 1),
        (401, UnauthorizedError, 1),
        (403, ForbiddenError, 1),
        (400, UnavailableError, 1),
        (204, UnavailableError, 1),
        (408, UnavailableError, 3),
        (420, UnavailableError, 3),
        (429, UnavailableError, 3),
        (500, UnavailableError, 3),
        (503, UnavailableError, 3),
    ],
)
async def test_statuses(
    registry: FakeRegistry, connect: Connect, status: int, kind: type[LibreseedError], requests: int
) -> None:
    registry.on("/lodash", Reply(status, b"{}" if status != 204 else b""))
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(status, b"{}" if status != 204 else b""))
    upstream = connect()
    with pytest.raises(kind):
        await upstream.packument("lodash")
    assert upstream.requests == requests == len(registry.requests)
    with pytest.raises(kind):
        await read(upstream)


async def test_small_error_bodies_keep_the_connection(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/missing", Reply(404, b'{"error":"not found"}', pause=0.02))
    upstream = connect()
    for _ in range(3):
        with pytest.raises(NotFoundError):
            await upstream.packument("missing")
    assert registry.connections == 1


@pytest.mark.parametrize("fault", [Reply(500), Drop(), Reply(body=BODY, length=100)])
async def test_a_passing_fault_is_not_seen(registry: FakeRegistry, connect: Connect, fault: Reply | Drop) -> None:
    registry.on("/lodash", fault, Reply(body=BODY))
    packument = await connect().packument("lodash")
    assert isinstance(packument, Packument)
    assert packument.body == BODY


async def test_a_passing_silence_is_not_seen(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Hang(), Reply(body=BODY))
    limits = Limits(backoff=0.0, idle=0.1, retries=50)  # on a busy machine even the good answer may be late
    assert isinstance(await connect(limits=limits).packument("lodash"), Packument)


async def test_retry_after_that_is_too_long_ends_it(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(429, headers={"Retry-After": "3600"}), Reply(body=BODY))
    with pytest.raises(UnavailableError, match="429"):
        await connect().packument("lodash")
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(body=b"<html>Log in to the hotel's network</html>"), id="not JSON"),
        pytest.param(Reply(body=b"[]"), id="no object"),
        pytest.param(Reply(body=b""), id="empty"),
        pytest.param(Reply(body=b'{"name":"lodash"', length=-1), id="cut off"),
        pytest.param(Reply(body=b'{"versions":{"1.0.0":{}', length=-1), id="cut off behind a brace"),
        pytest.param(Reply(body=BODY, headers={"Content-Encoding": "gzip"}), id="not gzip"),
        pytest.param(Drop(), id="no answer"),
        pytest.param(Reply(302, headers={"Location": "/lodash"}), id="redirect loop"),
        pytest.param(Reply(302), id="redirect to nowhere"),
        pytest.param(Reply(302, headers={"Location": "ftp://127.0.0.1/x"}), id="redirect to another protocol"),
    ],
)
async def test_faulty_packuments(registry: FakeRegistry, connect: Connect, reply: Reply | Drop) -> None:
    registry.on("/lodash", reply)
    with pytest.raises(UnavailableError):
        await connect().packument("lodash")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
async def test_a_packument_that_stops_coming(registry: FakeRegistry, connect: Connect, begun: bytes) -> None:
    registry.on("/lodash", Hang(begun))
    with pytest.raises(UnavailableError, match="sent nothing"):
        await connect(limits=HASTY).packument("lodash")


async def test_no_http_at_all(connect: Connect) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UnavailableError):
            await connect(UpstreamSettings(f"http://127.0.0.1:{port}/")).packument("lodash")


async def test_refused(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening
        upstream = connect(UpstreamSettings(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await upstream.packument("lodash")
    assert upstream.requests == 0


async def test_unknown_host(connect: Connect) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        await connect(UpstreamSettings("http://nothing.invalid/")).packument("lodash")


async def test_the_whole_packument_has_a_deadline(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Hang())
    with pytest.raises(UnavailableError, match=r"within 0\.05 s"):
        await connect(limits=Limits(packument=0.05)).packument("lodash")


async def test_the_headers_of_a_tarball_have_a_deadline(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Hang())
    with pytest.raises(UnavailableError, match=r"within 0\.05 s"):
        await read(connect(limits=Limits(answer=0.05)))


async def test_gzip(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash", Reply(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"}))
    packument = await connect().packument("lodash")
    assert isinstance(packument, Packument)
    assert packument.body == BODY


@pytest.mark.parametrize("length", [None, -1])
async def test_a_packument_over_the_limit_is_refused(
    registry: FakeRegistry, connect: Connect, length: int | None
) -> None:
    bomb = gzip.compress(b'{"a":"' + bytes(4_000_000) + b'"}')
    registry.on("/lodash", Reply(body=bomb, headers={"Content-Encoding": "gzip"}, length=length))
    with pytest.raises(UnavailableError, match="larger than 1000000"):
        await connect(limits=Limits(packument_bytes=1_000_000)).packument("lodash")


async def test_tarball(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(body=TARBALL))
    upstream = connect()
    async with upstream.tarball("lodash", "lodash-1.0.0.tgz") as stream:
        assert stream.length == len(TARBALL)
        assert not await stream.restricted()
        chunks = [chunk async for chunk in stream]
    assert b"".join(chunks) == TARBALL
    assert max(map(len, chunks)) <= 256 * 1024
    assert registry.requests[0].headers["accept-encoding"] == "identity"
    assert upstream.requests == 1


async def test_a_tarball_stays_as_it_is_stored(registry: FakeRegistry, connect: Connect) -> None:
    stored = gzip.compress(b"content")
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(body=stored, headers={"Content-Encoding": "gzip"}))
    assert await read(connect()) == stored


async def test_a_tarball_of_unknown_length(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(body=TARBALL, length=-1))
    async with connect().tarball("lodash", "lodash-1.0.0.tgz") as stream:
        assert stream.length is None
        assert b"".join([chunk async for chunk in stream]) == TARBALL


async def test_a_tarball_that_ends_early(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(body=TARBALL, length=len(TARBALL) + 1))
    with pytest.raises(UnavailableError, match="before it was complete"):
        await read(connect())
    assert len(registry.requests) == 1  # its first bytes are already with the client


async def test_a_tarball_that_stops_coming(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    with pytest.raises(UnavailableError, match="sent nothing"):
        await read(connect(limits=HASTY))


async def test_a_tarball_over_the_limit_is_refused(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(body=TARBALL))
    with pytest.raises(UnavailableError, match="larger than"):
        await read(connect(limits=Limits(tarball_bytes=len(TARBALL) - 1)))


async def test_the_headers_of_a_tarball_are_tried_again(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Reply(503), Drop(), Reply(body=TARBALL))
    assert await read(connect()) == TARBALL


async def test_leaving_a_tarball_early_breaks_it_off(registry: FakeRegistry, connect: Connect) -> None:
    registry.on("/lodash/-/lodash-1.0.0.tgz", Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    with pytest.raises(ValueError, match="the caller's own"):
        async with connect(limits=Limits()).tarball("lodash", "lodash-1.0.0.tgz"):
            raise ValueError("the caller's own")
    await asyncio.wait_for(registry.left.wait(), 5)


async def test_tarball_at_another_host(registry: FakeRegistry, connect: Connect) -> None:
    async with FakeRegistry() as files:
        files.on("/x/y.tgz?signed=1", Reply(body=TARBALL))
        async with connect().tarball_at(f"{files.url}x/y.tgz?signed=1") as stream:
            assert b"".join([chunk async for chunk in stream]) == TARBALL
    assert registry.requests == []


@pytest.mark.parametrize("url", ["", "x", "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http://[", "//x/y"])
async def test_tarball_at_no_http_url(connect: Connect, url: str) -> None:
    with pytest.raises(InvalidInputError):
        async with connect().tarball_at(url):
            pass


@pytest.mark.parametrize(("name", "file"), [("../x", "x-1.tgz"), ("", ""), ("x", ".."), ("x", "."), ("x", "")])
async def test_names_that_would_lead_elsewhere(connect: Connect, name: str, file: str) -> None:
    upstream = connect()
    with pytest.raises(InvalidInputError):
        await read(upstream, name, file)
    assert upstream.requests == 0


@pytest.mark.parametrize("name", ["", "..", "../x", "x/y", "x?y"])
async def test_no_package_names(connect: Connect, name: str) -> None:
    upstream = connect()
    with pytest.raises(InvalidInputError):
        await upstream.packument(name)
    assert upstream.requests == 0


async def test_a_file_stays_in_its_folder(registry: FakeRegistry, connect: Connect) -> None:
    with pytest.raises(NotFoundError):
        await read(connect(), "lodash", "../../x?y#z")
    assert registry.requests[0].target == "/lodash/-/..%2F..%2Fx%3Fy%23z"


async def test_a_scope_with_a_registry_of_its_own_is_private() -> None:
    settings = UpstreamSettings("http://a.invalid/", scopes={"@corp": "http://b.invalid/"})
    async with Upstream(settings, node_id="node-1") as upstream:
        assert await upstream.is_private("@corp/tool")
        assert not await upstream.is_private("@babel/core")
        assert not await upstream.is_private("corp")


async def test_every_scope_is_private_while_the_configuration_is_unreadable() -> None:
    async def settings() -> UpstreamSettings:
        raise ConfigError("No npm.")

    async with Upstream(settings, node_id="node-1") as upstream:
        for _ in range(2):  # the second time without asking npm again
            assert await upstream.is_private("@corp/tool")
            assert not await upstream.is_private("corp")


async def test_privacy_can_be_asked_after_the_end_and_at_it() -> None:
    asked = asyncio.Event()

    async def settings() -> UpstreamSettings:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    upstream = Upstream(settings, node_id="node-1")
    caller = asyncio.ensure_future(upstream.is_private("@corp/tool"))
    await asked.wait()
    await upstream.close()
    assert await caller
    assert await upstream.is_private("@corp/tool")
    assert not await upstream.is_private("corp")


async def test_no_upstream() -> None:
    async with Upstream(UpstreamSettings(None), node_id="node-1") as upstream:
        with pytest.raises(NotFoundError, match="No upstream"):
            await upstream.packument("lodash")
        with pytest.raises(NotFoundError, match="No upstream"):
            await read(upstream)
        assert (upstream.url, upstream.requests) == (None, 0)


async def test_settings_are_asked_for_once_and_late(registry: FakeRegistry) -> None:
    registry.on("/a", Reply(body=BODY))
    registry.on("/b", Reply(body=BODY))
    asked = 0

    async def settings() -> UpstreamSettings:
        nonlocal asked
        asked += 1
        return UpstreamSettings(registry.url)

    async with Upstream(settings, node_id="node-1") as upstream:
        assert (asked, upstream.url) == (0, None)
        await asyncio.gather(upstream.packument("a"), upstream.packument("b"), upstream.ready())
        assert (asked, upstream.url) == (1, registry.url)


@pytest.mark.parametrize(("pause", "asked_twice"), [(60.0, False), (0.0, True)])
async def test_settings_that_cannot_be_had(registry: FakeRegistry, pause: float, asked_twice: bool) -> None:
    registry.on("/lodash", Reply(body=BODY))
    answers: list[UpstreamSettings | ConfigError] = [
        ConfigError("No npm.", hint="Get it."),
        UpstreamSettings(registry.url),
    ]

    async def settings() -> UpstreamSettings:
        answer = answers.pop(0)
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    async with Upstream(settings, node_id="node-1", limits=Limits(npm_again=pause)) as upstream:
        with pytest.raises(ConfigError, match="No npm"):
            await upstream.ready()
        if asked_twice:
            await upstream.packument("lodash")
        else:
            with pytest.raises(UnavailableError, match=r"No npm\. Get it\."):
                await upstream.packument("lodash")


async def test_close_ends_what_is_under_way(registry: FakeRegistry) -> None:
    registry.on("/lodash", Hang())
    upstream = Upstream(UpstreamSettings(registry.url), node_id="node-1")
    caller = asyncio.ensure_future(upstream.packument("lodash"))
    await registry.asked.wait()
    await upstream.close()
    await upstream.close()
    with pytest.raises(UnavailableError):
        await caller
    with pytest.raises(UnavailableError, match="closed"):
        await upstream.packument("lodash")
