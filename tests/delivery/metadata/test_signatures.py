"""The registry's signatures, checked by us: whoever hands a version on, it is the one that the registry signed."""

import orjson
import pytest

from libreseed.delivery.metadata import provenance, signatures
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.trust.keys import parse_key
from libreseed.trust.registry_signatures import read_keys
from support.running import Local, StartNode, asked, eventually, offer
from support.signing import RegistrySigner
from upstream.fake_registry import FakeRegistry, Hang, Reply

KEYS = "/-/npm/v1/keys"
FILE = "/pkg/-/pkg-1.0.0.tgz"


def pin(node: Local, *signers: RegistrySigner) -> None:
    keys = read_keys({"keys": [signer.entry() for signer in signers]})
    node.node.stores.trust.change(lambda rules: rules.with_registry_keys(keys))


def pinned(node: Local) -> list[str]:
    return [key.keyid for key in node.node.stores.trust.rules().registry_keys]


async def test_the_upstreams_keys_are_pinned_when_they_are_needed(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    signer = RegistrySigner()
    upstream.on(KEYS, Reply(body=signer.keys()))
    offer(upstream, "plain", "1.0.0")
    tarball = offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg")
    node = await start_node(upstream=upstream.url)
    assert (await node.get("/plain/1.0.0")).status == 200
    assert (pinned(node), asked(upstream, KEYS)) == ([], 0)
    assert (await node.get("/pkg/1.0.0")).status == 200
    assert (await node.get(FILE)).body == tarball
    assert (pinned(node), asked(upstream, KEYS)) == ([signer.keyid], 1)


async def test_a_bad_signature_of_the_upstream_is_refused(
    start_node: StartNode, upstream: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    signer = RegistrySigner()
    upstream.on(KEYS, Reply(body=signer.keys()))
    tarball = offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg", forged=True)
    node = await start_node(upstream=upstream.url)
    await node.get("/pkg")
    lock = {"pacote_integrity": format_integrity(sha512(tarball))}
    for answer in [await node.get("/pkg/1.0.0"), await node.get(FILE), await node.get(FILE, **lock)]:
        assert answer.status == 403
        assert "signature of pkg@1.0.0 is wrong" in answer.json()["error"]
    assert asked(upstream, FILE) == 0
    assert any(record.levelname == "ERROR" and "pkg@1.0.0" in record.message for record in caplog.records)


async def test_a_packument_opens_nothing_held_under_a_wrong_signature(
    start_node: StartNode, upstream: FakeRegistry
) -> None:
    """Else whoever changes an integrity could have one package installed in place of another."""
    signer = RegistrySigner()
    upstream.on(KEYS, Reply(body=signer.keys()))
    other = offer(upstream, "other", "1.0.0")
    offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg")
    swapped = orjson.loads(upstream.script["/pkg"][0].body)  # type: ignore[union-attr]
    integrity = format_integrity(sha512(other))
    swapped["versions"]["1.0.0"]["dist"]["integrity"] = integrity
    upstream.on("/pkg", Reply(body=orjson.dumps(swapped)))
    node = await start_node(upstream=upstream.url)
    assert (await node.get("/other/-/other-1.0.0.tgz")).body == other
    assert (await node.get("/pkg")).status == 200
    assert (await node.get(FILE, pacote_integrity=integrity)).status == 403


async def test_an_upstream_that_shows_no_keys_is_believed(start_node: StartNode, upstream: FakeRegistry) -> None:
    tarball = offer(upstream, "pkg", "1.0.0")
    RegistrySigner().sign(upstream, "pkg")
    node = await start_node(upstream=upstream.url)
    await node.get("/pkg")
    assert (await node.get(FILE)).body == tarball
    assert asked(upstream, KEYS) == 1


async def test_nobody_waits_long_for_keys(
    start_node: StartNode, upstream: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_KEYS_TIMEOUT", 0.05)
    upstream.on(KEYS, Hang())
    offer(upstream, "pkg", "1.0.0", "2.0.0")
    RegistrySigner().sign(upstream, "pkg")
    node = await start_node(upstream=upstream.url)
    for version in ("1.0.0", "2.0.0"):
        assert (await node.get(f"/pkg/{version}")).status == 200
    assert asked(upstream, KEYS) == 1


async def test_new_keys_of_the_upstream_are_taken_and_changed_ones_are_not(
    start_node: StartNode, upstream: FakeRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(provenance, "_KEYS_FRESH", 0.0)
    first, second, forged = RegistrySigner("one"), RegistrySigner("two"), RegistrySigner("one")
    upstream.on(
        KEYS,
        Reply(body=first.keys()),
        Reply(body=orjson.dumps({"keys": [first.entry(), second.entry()]})),
        Reply(body=forged.keys()),
    )
    node = await start_node(upstream=upstream.url)
    assert [(await node.get(KEYS)).status for _ in range(3)] == [200, 200, 403]
    assert pinned(node) == ["one", "two"]
    assert node.node.stores.trust.rules().registry_keys[0].as_json()["key"] == first.entry()["key"]
    assert any(record.levelname == "ERROR" and "key one is not the one" in record.message for record in caplog.records)


async def mirrored(start_node: StartNode, upstream: FakeRegistry, *signers: RegistrySigner) -> Local:
    """Return a node without an upstream that trusts a mirror, which knows no keys, and has pinned `signers`."""
    mirror = await start_node("mirror", upstream=upstream.url)
    await mirror.get("/pkg")
    assert (await mirror.get(FILE)).status == 200
    await eventually(
        lambda: not mirror.node.publishing.mirroring.waiting and not mirror.node.networks.announcing.waiting
    )
    node = await start_node("node", mirror)
    key = parse_key(mirror.node.status()["publisher"])
    node.node.stores.trust.change(lambda rules: rules.with_mirror(key))
    if signers:
        pin(node, *signers)
    return node


async def test_what_a_mirror_hands_on_unchanged(start_node: StartNode, upstream: FakeRegistry) -> None:
    signer = RegistrySigner()
    tarball = offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg")
    node = await mirrored(start_node, upstream, signer)
    answer = await node.get(FILE)
    assert (answer.status, answer.body, answer.source) == (200, tarball, "swarm")


async def test_what_a_mirror_has_changed(start_node: StartNode, upstream: FakeRegistry) -> None:
    signer = RegistrySigner()
    tarball = offer(upstream, "pkg", "1.0.0")
    signer.sign(upstream, "pkg", forged=True)
    node = await mirrored(start_node, upstream, signer)
    lock = {"pacote_integrity": format_integrity(sha512(tarball))}
    for answer in [await node.get("/pkg/latest"), await node.get(FILE), await node.get(FILE, **lock)]:
        assert answer.status == 403
        assert "signature of pkg@1.0.0 is wrong" in answer.json()["error"]


async def test_a_mirror_brings_no_keys(start_node: StartNode, upstream: FakeRegistry) -> None:
    offer(upstream, "pkg", "1.0.0")
    RegistrySigner("stranger").sign(upstream, "pkg")
    node = await mirrored(start_node, upstream, RegistrySigner())
    answer = await node.get(FILE)
    assert (answer.status, "no key that you have pinned" in answer.json()["error"]) == (403, True)


@pytest.mark.parametrize("signed", [False, True])
async def test_without_signatures_or_keys_the_mirrors_word_counts(
    start_node: StartNode, upstream: FakeRegistry, signed: bool
) -> None:
    signer = RegistrySigner()
    tarball = offer(upstream, "pkg", "1.0.0")
    if signed:
        signer.sign(upstream, "pkg")
    node = await mirrored(start_node, upstream, *([] if signed else [signer]))
    assert (await node.get(FILE)).body == tarball
