"""The package `libreseed`, which every node serves by itself."""

import hashlib
from pathlib import Path

import pytest

from libreseed import __version__
from libreseed.delivery.metadata.bundled import BundledPackage
from libreseed.packages.integrity import format_integrity
from libreseed.shims.render import render_package
from support.clients import Npm, write_project
from support.nodes import running_nodes
from support.running import StartNode, offer
from upstream.fake_registry import FakeRegistry

FILE = f"libreseed-{__version__}.tgz"


async def test_the_upstream_has_no_say(start_node: StartNode, upstream: FakeRegistry) -> None:
    theirs = offer(upstream, "libreseed", "9.9.9")
    node = await start_node(upstream=upstream.url)
    packument = await node.get("/libreseed")
    assert packument.source == "store"
    assert list(packument.json()["versions"]) == [__version__]
    tarball = await node.get(f"/libreseed/-/{FILE}")
    dist = packument.json()["versions"][__version__]["dist"]
    assert dist["tarball"] == f"{node.url}/libreseed/-/{FILE}"
    assert dist["integrity"] == format_integrity(hashlib.sha512(tarball.body).digest())
    assert dist["shasum"] == hashlib.sha1(tarball.body, usedforsecurity=False).hexdigest()
    assert (tarball.source, tarball.headers["Content-Length"]) == ("store", str(len(tarball.body)))
    assert (await node.get("/libreseed/-/libreseed-9.9.9.tgz")).status == 404
    integrity = format_integrity(hashlib.sha512(theirs).digest())
    assert (await node.get("/libreseed/-/libreseed-9.9.9.tgz", pacote_integrity=integrity)).status == 404
    assert upstream.requests == []


async def test_nobody_can_publish_it(start_node: StartNode) -> None:
    node = await start_node()
    await node.log_in()
    node.node.stores.trust.change(lambda rules: rules.with_pin("libreseed", node.node.stores.key.public))
    answer = await node.publish("libreseed", "9.9.9")
    assert (answer.status, "every node brings along" in answer.json()["error"]) == (403, True)
    assert list((await node.get("/libreseed")).json()["versions"]) == [__version__]


def test_it_is_the_same_everywhere() -> None:
    assert BundledPackage("1.2.3").packument == BundledPackage("1.2.3").packument


@pytest.mark.e2e
def test_npm_installs_it_and_node_loads_it(tmp_path: Path) -> None:
    with running_nodes(tmp_path) as nodes:
        npm = Npm(tmp_path / "npm", nodes.start("node", "--upstream", "none"))
        app = write_project(tmp_path / "app", {"name": "app"})
        npm.run(app, "install", "libreseed")
        installed = app / "node_modules/libreseed"
        assert {path.name: path.read_bytes() for path in installed.iterdir()} == render_package(__version__)
        npm.clear_cache()
        npm.run(app, "ci")
        assert npm.run(app, "view", "libreseed", "version").stdout.strip() == __version__
