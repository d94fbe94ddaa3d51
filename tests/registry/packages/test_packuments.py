import gzip

import orjson

from support.running import StartNode, asked, offer
from upstream.fake_registry import FakeRegistry, Reply

ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"


async def test_a_packument(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0", description="A package.")
    node = await start_node(upstream=upstream.url)
    first, second = [await node.get("/pkg") for _ in range(2)]
    assert (first.status, first.source, second.source) == (200, "upstream", "store")
    assert first.body == second.body
    assert first.headers["Content-Type"] == "application/json"
    manifest = first.json()["versions"]["1.0.0"]
    assert manifest["description"] == "A package."
    assert manifest["dist"]["tarball"] == f"{node.url}/pkg/-/pkg-1.0.0.tgz"
    assert asked(upstream, "/pkg") == 1


async def test_tarballs_are_where_the_client_found_us(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url, allow_hosts=("proxy.test",))
    answer = await node.get("/pkg", Host="proxy.test:80")
    assert answer.json()["versions"]["1.0.0"]["dist"]["tarball"] == "http://proxy.test:80/pkg/-/pkg-1.0.0.tgz"


async def test_the_abbreviated_form(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0", description="A package.", scripts={"install": "x"})
    node = await start_node(upstream=upstream.url)
    answer = await node.get("/pkg", Accept=ABBREVIATED)
    assert answer.headers["Content-Type"] == "application/vnd.npm.install-v1+json"
    assert answer.json().keys() == {"name", "dist-tags", "versions", "time"}
    manifest = answer.json()["versions"]["1.0.0"]
    assert (manifest["hasInstallScript"], "description" in manifest) == (True, False)
    assert answer.headers["ETag"] != (await node.get("/pkg")).headers["ETag"]


async def test_conditional_and_compressed(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    whole = await node.get("/pkg")
    packed = await node.get("/pkg", Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == whole.body
    assert packed.headers["Vary"] == "Accept, Accept-Encoding"
    same = await node.get("/pkg", If_None_Match=f'W/"other", {whole.headers["ETag"]}')
    assert (same.status, same.body, same.source) == (304, b"", "store")
    assert (await node.get("/pkg", If_None_Match='W/"other"')).status == 200
    head = await node.ask("HEAD", "/pkg")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(whole.body)))


async def test_conditional_by_date(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    assert "Last-Modified" not in (await node.get("/pkg")).headers
    await node.stop()
    date, other = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"
    [reply] = upstream.script["/pkg"]
    assert isinstance(reply, Reply)
    for number, text in enumerate(("2024-01-01T00:00:00.000Z", "2024-01-01T01:00:00+01:00", "2024-01-01", "soon")):
        content = orjson.loads(reply.body)
        content["time"]["modified"] = text
        upstream.on("/pkg", Reply(body=orjson.dumps(content)))
        node = await start_node(f"node{number}", upstream=upstream.url)
        whole = await node.get("/pkg", Accept=ABBREVIATED)
        if text == "soon":
            assert "Last-Modified" not in whole.headers
            continue
        assert whole.headers["Last-Modified"] == date
        same = await node.get("/pkg", Accept=ABBREVIATED, If_Modified_Since=date)
        assert (same.status, same.body, same.headers["Last-Modified"]) == (304, b"", date)
        assert (await node.get("/pkg", If_Modified_Since=other)).status == 200
        tag = whole.headers["ETag"]
        assert (await node.get("/pkg", Accept=ABBREVIATED, If_None_Match=tag, If_Modified_Since=other)).status == 304
        assert (await node.get("/pkg", If_None_Match='W/"other"', If_Modified_Since=date)).status == 200


async def test_scoped_names_in_all_spellings(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "@s/pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    for spelling in ["/@s/pkg", "/@s%2fpkg", "/@s%2Fpkg", "/%40s%2fpkg", "/@s/pkg/", "/@s%2fpkg?write=true"]:
        answer = await node.get(spelling)
        assert answer.json()["name"] == "@s/pkg"
        path, _, _ = spelling.rstrip("/").partition("?")
        assert (await node.get(f"{path}/1.0.0")).json()["version"] == "1.0.0"
        assert (await node.get(f"{path}/-/pkg-1.0.0.tgz")).body == tarball


async def test_a_version(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0", "1.2.0")
    node = await start_node(upstream=upstream.url)
    for wanted, version in [
        ("1.0.0", "1.0.0"),
        ("latest", "1.2.0"),
        ("%5E1.0.0", "1.2.0"),
        ("~1.0", "1.0.0"),
        ("*", "1.2.0"),
    ]:
        answer = await node.get(f"/pkg/{wanted}")
        assert (answer.status, answer.json()["version"]) == (200, version)
        assert answer.json()["dist"]["tarball"] == f"{node.url}/pkg/-/pkg-{version}.tgz"


async def test_dist_tags(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "@s/pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    for path in ("/-/package/@s%2fpkg/dist-tags", "/-/package/@s/pkg/dist-tags"):
        answer = await node.get(path)
        assert (answer.status, answer.json()) == (200, {"latest": "1.0.0"})
        assert answer.source is not None


async def test_what_is_not_there(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    node = await start_node(upstream=upstream.url)
    for path in ["/pkg/9.9.9", "/pkg/beta", "/pkg/^9", "/pkg/a/b", "/nothing", "/nothing/1.0.0"]:
        answer = await node.get(path)
        assert (answer.status, answer.source) == (404, "store")
        assert answer.json()["error"]
