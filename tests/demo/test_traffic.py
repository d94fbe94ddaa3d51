import pytest

from libreseed.demo.traffic import watch
from libreseed.registry.http.guard import Guard, access_log

URL = "http://localhost:4880"


class Listener:
    def __init__(self):
        self.names = []
        self.transfers = []

    def looked_up(self, name):
        self.names.append(name)

    def transfer(self, transfer):
        self.transfers.append(transfer)


async def serve(path: str, *, status: int = 200, source: bytes = b"swarm", host: bytes = b"localhost:4880") -> None:
    """Let the real guard serve and log one request."""

    async def app(scope, receive, send):
        headers = [(b"x-libreseed-source", source), (b"content-length", b"7")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"tarball"})

    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "raw_path": path.encode(), "headers": [(b"host", host)]}
    await Guard(app, (), "node")(scope, None, send)


async def test_tarballs_and_metadata_are_told_with_their_source():
    listener = Listener()
    with watch(URL, listener) as traffic:
        await serve("/@demo%2fa")
        await serve("/@demo/a/-/a-1.0.0-rc.1.tgz", source=b"upstream")
    assert traffic.metadata == {"@demo/a": "swarm"}
    [transfer] = traffic.tarballs
    assert (transfer.name, transfer.version, transfer.source, transfer.bytes) == (
        "@demo/a",
        "1.0.0-rc.1",
        "upstream",
        7,
    )
    assert 0 <= transfer.milliseconds < 1000
    assert listener.names == ["@demo/a"]
    assert listener.transfers == traffic.tarballs


async def test_the_first_source_of_metadata_stays():
    with watch(URL, Listener()) as traffic:
        await serve("/a", source=b"upstream")
        await serve("/a", source=b"store")
    assert traffic.metadata == {"a": "upstream"}


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/a/-/a-1.0.0.tgz", {"host": b"localhost:4881"}),
        ("/a/-/a-1.0.0.tgz", {"status": 404}),
        ("/a/-/b-1.0.0.tgz", {}),
        ("/a/1.0.0", {}),
        ("/-/ping", {}),
    ],
)
async def test_everything_else_is_passed_over(path, changes):
    listener = Listener()
    with watch(URL, listener) as traffic:
        await serve(path, **changes)
    assert (traffic.metadata, traffic.tarballs, listener.names, listener.transfers) == ({}, [], [], [])


async def test_the_log_is_left_as_it_was():
    before = access_log.level, list(access_log.handlers)
    listener = Listener()
    with watch(URL, listener):
        assert len(access_log.handlers) == len(before[1]) + 1
    assert (access_log.level, access_log.handlers) == before
    await serve("/a/-/a-1.0.0.tgz")
    assert listener.transfers == []
