"""No endpoint gives out what the policy refuses, whatever the rule, the spelling and the form of the request."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from libreseed.errors import ConfigError
from libreseed.packages.integrity import format_integrity, sha512
from support.packages import make_tarball
from support.running import Answer, Local, StartNode, asked, eventually, offer
from upstream.fake_registry import Drop, FakeRegistry, Reply

ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
GOOD, BAD, NAME = "1.0.0", "1.1.0", "@s/pkg"
SPELLINGS = ["/@s/pkg", "/@s%2fpkg", "/@s%2Fpkg", "/%40s%2fpkg", "/%40s/pkg"]
BAD_TARBALLS = [f"{path}/-/pkg-{BAD}.tgz" for path in SPELLINGS] + [
    f"/@s/pkg/-/@s/pkg-{BAD}.tgz",
    f"/@s%2fpkg/-/%40s/pkg-{BAD}.tgz",
    f"/@s/pkg/-/pkg%2d{BAD}.tgz",
    "/@s/pkg/-/odd.tgz",
]

RULES: dict[str, tuple[dict[str, Any], str]] = {
    "block": ({"block": [f"@s/*@{BAD}"]}, f'block "@s/*@{BAD}"'),
    "range": ({"block": ["@s/pkg"], "allow": ["@s/pkg@<1.1.0"]}, 'block "@s/pkg"'),
    "age": ({"minimum-release-age": "7d"}, 'minimum-release-age = "7d"'),
    "deprecated": ({"deprecated": "hide"}, 'deprecated = "hide"'),
    "licence": ({"licenses": ["MIT"]}, "licenses"),
    "replace": ({"replace": {f"@s/pkg@{BAD}": "9.9.9"}}, f'replace "@s/pkg@{BAD}" = "9.9.9"'),
}


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def script(upstream: FakeRegistry, name: str = NAME, **changes: Any) -> dict[str, bytes]:
    """Let the upstream have a good version and a bad one, which is `latest` and `next`; return their tarballs."""
    offer(upstream, name, GOOD, BAD, license="MIT")
    path = "/" + name.replace("/", "%2f")
    [reply] = upstream.script[path]
    assert isinstance(reply, Reply)
    content = orjson.loads(reply.body)
    bad = content["versions"][BAD]
    bad |= {"deprecated": "do not use", "license": "ISC"}
    bad["dist"]["tarball"] = f"{upstream.url}{name}/-/odd.tgz"
    content["dist-tags"] |= {"next": BAD}
    content["time"] |= {BAD: ago(days=1), "modified": "2024-01-01T00:00:00.000Z"}
    content |= changes
    upstream.on(path, Reply(body=orjson.dumps(content), headers={"ETag": '"1"'}))
    tarballs = {version: make_tarball(name, version) for version in (GOOD, BAD)}
    upstream.on(f"/{name}/-/odd.tgz", Reply(body=tarballs[BAD]))
    return tarballs


def assert_refused(answer: Answer, rule: str, head: bool = False) -> None:
    assert answer.status == 403, answer.body
    if not head:
        assert f"is blocked by the rule {rule}" in answer.json()["error"]


@pytest.fixture(params=list(RULES))
def rule(request: pytest.FixtureRequest) -> tuple[dict[str, Any], str]:
    return RULES[request.param]


Rule = tuple[dict[str, Any], str]


async def test_metadata(start_node: StartNode, upstream: FakeRegistry, rule: Rule) -> None:
    script(upstream)
    node = await start_node(upstream=upstream.url, policy=rule[0])
    for path in SPELLINGS:
        for form in (path, f"{path}/", f"{path}?write=true"):
            for accept in ("*/*", ABBREVIATED):
                content = (await node.get(form, Accept=accept)).json()
                assert list(content["versions"]) == [GOOD]
                assert content["dist-tags"] == {"latest": GOOD}
                assert BAD not in content["time"]
                assert rule[1] in content["policyRestrictions"]["message"]
        for wanted in (GOOD, "latest", "%5E1.0.0", "*", ""):
            assert (await node.get(f"{path}/{wanted}")).json().get("version", GOOD) == GOOD
        for wanted in (BAD, f"v{BAD}", f"={BAD}", "next", "%3E1.0.0", "~1.1"):
            assert_refused(await node.get(f"{path}/{wanted}"), rule[1])
            assert_refused(await node.ask("HEAD", f"{path}/{wanted}"), rule[1], head=True)
        assert (await node.get(f"{path}/7.0.0")).status == 404
        assert (await node.get(f"/-/package{path}/dist-tags")).json() == {"latest": GOOD}


async def test_conditional_requests(start_node: StartNode, upstream: FakeRegistry, rule: Rule) -> None:
    """What a client has from before the rule is not confirmed."""
    script(upstream)
    node = await start_node(upstream=upstream.url)
    before = {accept: (await node.get(SPELLINGS[0], Accept=accept)).headers for accept in ("*/*", ABBREVIATED)}
    await node.stop()
    node = await start_node(upstream=upstream.url, policy=rule[0])
    for accept, headers in before.items():
        tag, date = headers["ETag"], headers["Last-Modified"]
        for condition in ({"If_None_Match": tag}, {"If_Modified_Since": date}):
            answer = await node.get(SPELLINGS[0], Accept=accept, **condition)
            assert (answer.status, list(answer.json()["versions"])) == (200, [GOOD])
            assert "Last-Modified" not in answer.headers
        same = await node.get(SPELLINGS[0], Accept=accept, If_None_Match=answer.headers["ETag"])
        assert (same.status, same.body) == (304, b"")


@pytest.mark.parametrize("held", [True, False], ids=["held", "cold"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_tarballs(start_node: StartNode, upstream: FakeRegistry, rule: Rule, held: bool, known: bool) -> None:
    tarballs = script(upstream)
    if held:
        node = await start_node(upstream=upstream.url)
        for version in (GOOD, BAD):
            assert (await node.get(f"/@s/pkg/-/pkg-{version}.tgz")).body == tarballs[version]
        await node.stop()
    node = await start_node(upstream=upstream.url, policy=rule[0])
    if known:
        await node.get(SPELLINGS[0])
    integrity = format_integrity(sha512(tarballs[BAD]))
    etag = f'"{sha512(tarballs[BAD]).hex()}"'
    fetched = asked(upstream, f"/{NAME}/-/odd.tgz"), asked(upstream, f"/{NAME}/-/pkg-{BAD}.tgz")
    for path in BAD_TARBALLS:
        for headers in ({}, {"pacote_integrity": integrity}, {"Range": "bytes=0-9"}, {"If_None_Match": etag}):
            assert_refused(await node.get(path, **headers), rule[1])
            assert_refused(await node.ask("HEAD", path, **headers), rule[1], head=True)
    assert fetched == (asked(upstream, f"/{NAME}/-/odd.tgz"), asked(upstream, f"/{NAME}/-/pkg-{BAD}.tgz"))
    assert (await node.get(f"/@s/pkg/-/pkg-{GOOD}.tgz")).body == tarballs[GOOD]


async def test_the_bytes_of_a_refused_version_have_no_other_name(
    start_node: StartNode, upstream: FakeRegistry, rule: Rule
) -> None:
    tarballs = script(upstream)
    node = await start_node(upstream=upstream.url)
    assert (await node.get(BAD_TARBALLS[0])).body == tarballs[BAD]
    await node.stop()
    node = await start_node(upstream=upstream.url, policy=rule[0])
    demanded = {"pacote_integrity": format_integrity(sha512(tarballs[BAD]))}
    answer = await node.get(f"/@s/pkg/-/pkg-{GOOD}.tgz", **demanded)
    assert (answer.status, "cannot judge" in answer.json()["error"]) == (403, True)


async def test_search(start_node: StartNode, upstream: FakeRegistry, rule: Rule) -> None:
    script(upstream)
    theirs = {"package": {"name": NAME, "version": BAD, "date": ago(days=1)}, "searchScore": 5}
    node = await start_node(upstream=upstream.url, policy=rule[0])
    for answers in (Reply(body=orjson.dumps({"objects": [theirs], "total": 1})), Reply(500)):
        upstream.on("/-/v1/search?text=pkg&size=20&from=0", answers)
        found = (await node.get("/-/v1/search?text=pkg&size=20")).json()["objects"]
        assert [(entry["package"]["name"], entry["package"]["version"]) for entry in found] == [(NAME, GOOD)]
        assert "deprecated" not in found[0]["package"]


WHOLLY: dict[str, tuple[dict[str, Any], str]] = {
    "block": ({"block": ["@s/*"]}, 'block "@s/*"'),
    "range": ({"block": ["@s/pkg@>=0.1"]}, 'block "@s/pkg@>=0.1"'),
    "age": ({"minimum-release-age": "9999w"}, 'minimum-release-age = "9999w"'),
    "licence": ({"licenses": ["BSD"]}, "licenses"),
}


@pytest.mark.parametrize(("policy", "rule"), WHOLLY.values(), ids=WHOLLY)
async def test_a_whole_package(start_node: StartNode, upstream: FakeRegistry, policy: Any, rule: str) -> None:
    script(upstream)
    upstream.on(
        "/-/v1/search?text=pkg&size=20&from=0",
        Reply(body=orjson.dumps({"objects": [{"package": {"name": NAME, "version": GOOD}}], "total": 1})),
    )
    node = await start_node(upstream=upstream.url, policy=policy)
    await node.log_in()
    for path in SPELLINGS:
        for form in (path, f"{path}?write=true", f"{path}/{GOOD}", f"{path}/latest", f"/-/package{path}/dist-tags"):
            assert_refused(await node.get(form), rule)
    assert_refused(await node.get(f"/@s/pkg/-/pkg-{GOOD}.tgz"), rule)
    assert_refused(await node.ask("PUT", SPELLINGS[0], body={"users": {"ann": True}}), rule)
    assert (await node.get("/-/v1/search?text=pkg&size=20")).json()["objects"] == []
    if policy == WHOLLY["block"][0]:
        assert asked(upstream, "/@s%2fpkg") == 0, "nobody is asked for what is blocked whatever there is"


async def test_a_replaced_version(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarballs = script(upstream)
    node = await start_node(upstream=upstream.url, policy={"replace": {f"@s/pkg@{BAD}": GOOD}})
    for manifest in (await node.get(f"/@s%2fpkg/{BAD}"), await node.get("/@s%2fpkg/next")):
        content = manifest.json()
        assert (content["version"], content["license"]) == (BAD, "MIT")
        assert content["dist"]["integrity"] == format_integrity(sha512(tarballs[GOOD]))
        assert content["dist"]["tarball"] == f"{node.url}/@s/pkg/-/pkg-{GOOD}.tgz"
        assert f"{GOOD} is given out in place of {BAD}" in content["deprecated"]
    assert (await node.get(f"/@s/pkg/-/pkg-{GOOD}.tgz")).body == tarballs[GOOD]
    assert_refused(await node.get(BAD_TARBALLS[0]), f'replace "@s/pkg@{BAD}" = "{GOOD}"')


async def test_it_is_shown_when_it_is_old_enough(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarballs = script(upstream)
    node = await start_node(upstream=upstream.url, policy={"minimum-release-age": "7d"})
    young = await node.get("/@s%2fpkg")
    assert list(young.json()["versions"]) == [GOOD]
    now = node.node.delivery.metadata.policing.now
    node.node.delivery.metadata.policing.now = lambda: now() + 7 * 86_400
    old = await node.get("/@s%2fpkg", If_None_Match=young.headers["ETag"])
    assert (old.status, list(old.json()["versions"]), old.json()["dist-tags"]["latest"]) == (200, [GOOD, BAD], BAD)
    assert "policyRestrictions" not in old.json()
    assert (await node.get(BAD_TARBALLS[0])).body == tarballs[BAD]


async def test_it_is_worked_out_once(
    start_node: StartNode, upstream: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from libreseed.delivery.metadata import policing

    worked: list[str] = []
    judge = policing._judge
    monkeypatch.setattr(policing, "_judge", lambda *given: (worked.append(given[1]), judge(*given))[1])
    script(upstream)
    node = await start_node(upstream=upstream.url, policy={"minimum-release-age": "7d"})
    await node.get("/@s%2fpkg")
    await asyncio.gather(*(node.get(path) for path in SPELLINGS * 4))
    assert (await node.get(BAD_TARBALLS[0])).status == 403
    assert worked == [NAME]
    free = await start_node("free", upstream=upstream.url)
    await free.get("/@s%2fpkg")
    assert worked == [NAME], "without a policy nothing is parsed for it"


async def test_a_version_newer_than_what_is_stored(start_node: StartNode, upstream: FakeRegistry) -> None:
    """A fresh packument in the store is no reason to believe that nobody knows a version."""
    offer(upstream, NAME, GOOD)
    node = await start_node(upstream=upstream.url, policy={"minimum-release-age": "7d"})
    await node.get("/@s%2fpkg")
    tarballs = script(upstream)
    demanded = {"pacote_integrity": format_integrity(sha512(tarballs[BAD]))}
    assert_refused(await node.get(BAD_TARBALLS[0], **demanded), 'minimum-release-age = "7d"')


@pytest.mark.parametrize("fault", [Drop(), Reply(404)], ids=["fault", "absent"])
@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ({"minimum-release-age": "7d"}, 200),
        ({"minimum-release-age": "7d", "unknown": "refuse"}, 403),
        ({"licenses": ["MIT"], "unknown": "refuse"}, 403),
        ({"minimum-release-age": "7d", "minimum-release-age-exceptions": ["@s/*"], "unknown": "refuse"}, 200),
        ({"block": ["@s/other"], "unknown": "refuse"}, 200),
        ({"minimum-release-age": "7d", "block": [f"@s/pkg@{BAD}"]}, 403),
        ({"minimum-release-age": "7d", "replace": {f"@s/pkg@{BAD}": GOOD}}, 403),
    ],
)
async def test_a_tarball_that_nobody_knows(
    start_node: StartNode, upstream: FakeRegistry, fault: Any, policy: dict[str, Any], status: int
) -> None:
    tarballs = script(upstream)
    upstream.on("/@s%2fpkg", fault)
    upstream.on(f"/{NAME}/-/pkg-{BAD}.tgz", Reply(body=tarballs[BAD]))
    node = await start_node(upstream=upstream.url, policy=policy)
    demanded = {"pacote_integrity": format_integrity(sha512(tarballs[BAD]))}
    before = asked(upstream, "/@s%2fpkg")
    for _ in range(2):
        answer = await node.get(BAD_TARBALLS[0], **demanded)
        assert answer.status == status, answer.body
        before = before or asked(upstream, "/@s%2fpkg")
    assert asked(upstream, "/@s%2fpkg") == before, "nobody is asked again and again"


async def test_a_tarball_of_an_odd_name_may_be_any_version(start_node: StartNode, upstream: FakeRegistry) -> None:
    script(upstream)
    upstream.on("/@s%2fpkg", Reply(404))
    node = await start_node(upstream=upstream.url, policy={"block": [f"@s/pkg@{BAD}"]})
    assert_refused(await node.get("/@s/pkg/-/odd.tgz"), f'block "@s/pkg@{BAD}"')


async def test_a_lock_file_is_enough_without_anybody_to_ask(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarballs = script(upstream, "pkg")
    giver = await start_node("giver", upstream=upstream.url)
    assert (await giver.get(f"/pkg/-/pkg-{BAD}.tgz")).body == tarballs[BAD]
    await eventually(
        lambda: giver.node.networks.seeding.shared(sha512(tarballs[BAD])) and not giver.node.networks.announcing.waiting
    )
    taker = await start_node("taker", giver, policy={"minimum-release-age": "7d", "block": ["pkg@<1"]})
    demanded = {"pacote_integrity": format_integrity(sha512(tarballs[BAD]))}
    answer = await taker.get(f"/pkg/-/pkg-{BAD}.tgz", **demanded)
    assert (answer.status, answer.source) == (200, "swarm")


async def test_what_is_blocked_is_not_counted_among_the_matches(start_node: StartNode) -> None:
    node = await start_node()
    await node.log_in()
    for name in ("some-a", "some-b", "some-c"):
        assert (await node.publish(name, GOOD)).status == 201
    await node.stop()
    node = await start_node(policy={"block": ["some-a"]})
    found = (await node.get("/-/v1/search?text=some&size=1")).json()
    assert ([entry["package"]["name"] for entry in found["objects"]], found["total"]) == (["some-b"], 2)


async def test_what_is_published_here(start_node: StartNode) -> None:
    """Neither age nor licence; blocks do apply. Its publisher sees all of it, or would unpublish what is hidden."""
    policy = {"minimum-release-age": "7d", "licenses": ["MIT"], "block": [f"mine@{BAD}"]}
    node = await start_node(policy=policy)
    await node.log_in()
    for version in (GOOD, BAD):
        assert (await node.publish("mine", version)).status == 201
    assert list((await node.get("/mine")).json()["versions"]) == [GOOD]
    assert (await node.get(f"/mine/-/mine-{GOOD}.tgz")).status == 200
    for path in (f"/mine/-/mine-{BAD}.tgz", f"/mine/{BAD}"):
        assert_refused(await node.get(path), f'block "mine@{BAD}"')
    found = (await node.get("/-/v1/search?text=mine")).json()["objects"]
    assert [entry["package"]["version"] for entry in found] == [GOOD]
    assert list((await node.get("/mine?write=true")).json()["versions"]) == [GOOD, BAD]


async def test_the_upstream_may_forget_the_time(start_node: StartNode, upstream: FakeRegistry) -> None:
    script(upstream, time={GOOD: "2024-01-01T00:00:00.000Z"})
    node = await start_node(upstream=upstream.url, minimum_release_age="7d")
    assert list((await node.get("/@s%2fpkg")).json()["versions"]) == [GOOD]
    assert "nobody says when it was released" in (await node.get(f"/@s%2fpkg/{BAD}")).json()["error"]


async def test_a_wrong_policy_starts_no_node(start_node: StartNode) -> None:
    with pytest.raises(ConfigError, match="unknown key 'blok'"):
        await start_node(policy={"blok": []})
    node: Local = await start_node()
    assert (await node.get("/-/ping")).status == 200
