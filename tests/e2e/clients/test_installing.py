"""Installs with and without a lock file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from libreseed.packages.integrity import format_integrity, sha512
from support.compatibility import covers
from support.nodes import Access
from support.registry_clients import Client, project

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("clients-installing")]

Publish = Callable[..., str]


def installed(app: Path, name: str) -> str:
    """Return the version of a package in node_modules, wherever the client has put it."""
    path = next((app / "node_modules").rglob(f"{name}/package.json"))
    return str(json.loads(path.read_text())["version"])


def tarballs(accesses: list[Access]) -> set[str]:
    assert {access.source for access in accesses if access.path.endswith(".tgz")} <= {"store"}
    return {access.path.replace("%2f", "/") for access in accesses if access.path.endswith(".tgz")}


@covers("install", "`GET /PACKAGE`, `GET /PACKAGE/-/FILE`")
def test_install(client: Client, publish: Publish, tmp_path: Path) -> None:
    inner = publish(f"@inner/{client.name}", "1.0.0", "1.1.0", "2.0.0")
    outer = publish(f"@outer/{client.name}", "1.0.0", dependencies={inner: "^1.0.0"})
    app = project(tmp_path / "app", client, **{outer: "latest"})
    before = len(client.node.accesses())
    client.call(app, "install")
    assert installed(app, outer) == "1.0.0"
    assert installed(app, inner) == "1.1.0", "the highest that the range allows"
    files = {f"/{outer}/-/{client.name}-1.0.0.tgz", f"/{inner}/-/{client.name}-1.1.0.tgz"}
    assert tarballs(client.node.accesses()[before:]) == files
    lock = (app / client.kind.lock).read_text()
    assert (outer in lock, inner in lock) == (True, True)
    if client.name != "yarn-4":  # whose checksum is of the archive that it makes itself
        for file in files:
            assert format_integrity(sha512(client.node.get(file).body)) in lock


@covers("ci", "`GET /PACKAGE/-/FILE`")
def test_ci(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@ci/{client.name}", "1.0.0")
    first = project(tmp_path / "first", client, **{name: "^1.0.0"})
    client.call(first, "install")
    lock = (first / client.kind.lock).read_text()
    publish(name, "1.1.0")
    second = project(tmp_path / "second", client, **{name: "^1.0.0"})
    (second / client.kind.lock).write_text(lock)
    client.clear_cache()
    before = len(client.node.accesses())
    client.call(second, "ci")
    assert installed(second, name) == "1.0.0", "what is locked, not what is newest"
    assert tarballs(client.node.accesses()[before:]) == {f"/{name}/-/{client.name}-1.0.0.tgz"}
    assert (second / client.kind.lock).read_text() == lock

    (second / "package.json").write_text(
        json.dumps({"name": "app", "version": "1.0.0", "dependencies": {name: "1.1.0"}})
    )
    refused = client.call(second, "ci", check=False)
    assert refused.returncode != 0, "a lock file that does not fit"
