"""What clients ask a registry about packages."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.clients import write_project
from support.compatibility import covers
from support.nodes import NodeProcess
from support.registry_clients import Client, project

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("clients-reading")]

Publish = Callable[..., str]


@covers("view", "`GET /PACKAGE`")
def test_view(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@view/{client.name}", "1.0.0", "1.1.0")
    app = project(tmp_path / "app", client)
    before = len(client.node.accesses())
    every = client.call(app, "view", package=name, field="versions").stdout
    assert ('"1.0.0"' in every, '"1.1.0"' in every) == (True, True), every
    one = client.call(app, "view", package=f"{name}@1.0.0", field="version").stdout
    assert ("1.0.0" in one, "1.1.0" in one) == (True, False), one
    asked = client.node.accesses()[before:]
    assert (200, "store") in [(access.status, access.source) for access in asked]
    assert {access.status for access in asked} <= {200, 304}
    missing = client.call(app, "view", check=False, package=f"@view/no-{client.name}", field="version")
    assert missing.returncode != 0 or "null" in missing.stdout or not missing.stdout.strip(), missing.stdout


@covers("search", "`GET /-/v1/search`")
def test_search(client: Client, publish: Publish, tmp_path: Path) -> None:
    word = f"zebra{client.name.replace('-', '')}"
    found = publish(f"@search/{client.name}", "1.0.0", description=f"A {word}.")
    publish(f"@search/other-{client.name}", "1.0.0", description="A horse.")
    result = json.loads(client.call(project(tmp_path / "app", client), "search", words=word).stdout)
    assert [package["name"] for package in result] == [found]


@covers("tag ls", "`GET /-/package/PACKAGE/dist-tags`")
def test_tag_ls(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@tags/{client.name}", "1.0.0", "1.1.0")
    shown = client.call(project(tmp_path / "app", client), "tag ls", package=name).stdout
    assert "latest: 1.1.0" in shown or "@latest → 1.1.0" in shown
    assert f"/-/package/{name.replace('/', '%2f')}/dist-tags" in [access.path for access in client.node.accesses()]


@covers("outdated", "`GET /PACKAGE`")
def test_outdated(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@outdated/{client.name}", "1.0.0", "1.1.0")
    app = project(tmp_path / "app", client, **{name: "~1.0.0"})
    client.call(app, "install")
    shown = client.call(app, "outdated", check=False).stdout
    assert (name in shown, "1.0.0" in shown, "1.1.0" in shown) == (True, True, True), shown


@covers("pack", "`GET /PACKAGE`, `GET /PACKAGE/-/FILE`")
def test_pack(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@pack/{client.name}", "1.0.0", "1.1.0")
    app = project(tmp_path / "app", client)
    client.call(app, "pack", package=f"{name}@~1.0.0")
    file = app / f"pack-{client.name}-1.0.0.tgz"
    assert file.read_bytes() == client.node.get(f"/{name}/-/{client.name}-1.0.0.tgz").body


@pytest.fixture(scope="module")
def hello(node: NodeProcess, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A package with a command that prints its version."""
    folder = tmp_path_factory.mktemp("hello")
    manifest = {"name": "hello-there", "version": "1.2.3", "bin": "hello.js"}
    script = "#!/usr/bin/env node\nconsole.log(`hello ${require('./package.json').version}`)\n"
    source = write_project(folder / "source", manifest, hello__js=script)
    Client("npm-11", folder / "home", node, "ann").call(source, "publish")
    return "hello-there"


@covers("exec", "`GET /PACKAGE`, `GET /PACKAGE/-/FILE`")
def test_exec(client: Client, hello: str, tmp_path: Path) -> None:
    before = len(client.node.accesses())
    assert "hello 1.2.3" in client.call(project(tmp_path / "app", client), "exec", package=hello).stdout
    assert f"/{hello}/-/{hello}-1.2.3.tgz" in [access.path for access in client.node.accesses()[before:]]


@covers("ping", "`GET /-/ping`")
def test_ping(client: Client, tmp_path: Path) -> None:
    answer = client.call(project(tmp_path / "app", client), "ping")
    assert "PONG" in answer.stdout + answer.stderr
