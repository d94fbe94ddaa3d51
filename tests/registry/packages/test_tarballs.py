import pytest

from libreseed.packages.integrity import format_integrity, sha512
from support.running import Local, StartNode, asked, offer
from upstream.fake_registry import FakeRegistry

PATH = "/pkg/-/pkg-1.0.0.tgz"
LENGTH = 177


@pytest.fixture
async def tarball(upstream: FakeRegistry) -> bytes:
    return offer(upstream, "pkg", "1.0.0")


@pytest.fixture
async def node(start_node: StartNode, upstream: FakeRegistry, tarball: bytes) -> Local:
    return await start_node(upstream=upstream.url)


async def test_a_tarball(node: Local, upstream: FakeRegistry, tarball: bytes) -> None:
    first, second = await node.get(PATH), await node.get(PATH)
    assert (first.status, first.source, second.source) == (200, "upstream", "store")
    assert first.body == second.body == tarball
    assert first.headers["Content-Length"] == str(len(tarball))
    assert first.headers["Content-Type"] == "application/octet-stream"
    assert "immutable" in first.headers["Cache-Control"]
    assert asked(upstream, PATH) == 1


async def test_cnpm_spells_scopes_twice(node: Local, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "@s/pkg", "1.0.0")
    assert (await node.get("/@s/pkg/-/@s/pkg-1.0.0.tgz")).body == tarball


async def test_conditional(node: Local, tarball: bytes) -> None:
    etag = (await node.get(PATH)).headers["ETag"]
    assert etag == f'"{sha512(tarball).hex()}"'
    same = await node.get(PATH, If_None_Match=etag)
    assert (same.status, same.body, same.source) == (304, b"", "store")


@pytest.mark.parametrize("cold", [True, False])
async def test_head(node: Local, tarball: bytes, cold: bool) -> None:
    if not cold:
        await node.get(PATH)
    for headers in ({}, {"Range": "bytes=0-3"}):
        answer = await node.ask("HEAD", PATH, **headers)
        assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", str(len(tarball)))


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("0-0", slice(0, 1)),
        ("5-9", slice(5, 10)),
        ("100-", slice(100, None)),
        ("-7", slice(-7, None)),
        ("9-999999", slice(9, None)),
    ],
)
async def test_ranges(node: Local, tarball: bytes, wanted: str, part: slice, cold: bool) -> None:
    if not cold:
        await node.get(PATH)
    answer = await node.get(PATH, Range=f"bytes={wanted}")
    assert (answer.status, answer.body) == (206, tarball[part])
    start = range(len(tarball))[part].start
    assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(answer.body) - 1}/{len(tarball)}"


async def test_ranges_beyond_the_end(node: Local, tarball: bytes) -> None:
    for wanted in ["bytes=99999-", "bytes=-0", "bytes=99999-100000"]:
        answer = await node.get(PATH, Range=wanted)
        assert (answer.status, answer.body) == (416, b"")
        assert answer.headers["Content-Range"] == f"bytes */{len(tarball)}"


async def test_other_ranges_get_the_whole(node: Local, tarball: bytes) -> None:
    for wanted in ["bytes=0-1,4-5", "bytes=-", "bytes=a-b", "lines=1-2", f"bytes={'9' * 5000}-", ""]:
        answer = await node.get(PATH, Range=wanted)
        assert (answer.status, answer.body) == (200, tarball)


async def test_if_range(node: Local, tarball: bytes) -> None:
    etag = (await node.get(PATH)).headers["ETag"]
    assert (await node.get(PATH, Range="bytes=0-3", If_Range=etag)).status == 206
    other = await node.get(PATH, Range="bytes=0-3", If_Range='"other"')
    assert (other.status, other.body) == (200, tarball)


async def test_a_lock_file_decides(node: Local, tarball: bytes) -> None:
    """npm says which integrity its lock file demands; other bytes are no answer, from wherever they come."""
    right, wrong = (format_integrity(sha512(data)) for data in (tarball, b"other"))
    assert (await node.get(PATH, pacote_integrity=right)).body == tarball
    refused = await node.get(PATH, pacote_integrity=wrong)
    assert (refused.status, refused.source) == (503, "store")
    assert "is required; it was not stored" in refused.json()["error"]
    assert (await node.get(PATH, pacote_integrity=right)).source == "store"


async def test_an_integrity_that_says_nothing(node: Local, tarball: bytes) -> None:
    for integrity in ["", "sha1-x", "sha512-short", "sha512-é", "garbage"]:
        assert (await node.get(PATH, pacote_integrity=integrity)).body == tarball


async def test_what_is_not_there(node: Local) -> None:
    for file in ["pkg-2.0.0.tgz", "pkg-.tgz", "other-1.0.0.tgz"]:
        answer = await node.get(f"/pkg/-/{file}")
        assert (answer.status, answer.source) == (404, "store")
    for file in ["..%2f..%2fetc%2fpasswd", "%00"]:
        assert (await node.get(f"/pkg/-/{file}")).status == 400
