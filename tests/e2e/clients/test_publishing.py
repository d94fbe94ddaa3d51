"""What clients write to a registry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.clients import write_project
from support.compatibility import covers
from support.registry_clients import Client, log_in, project

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("clients-publishing")]

Publish = Callable[..., str]


def packument(client: Client, name: str) -> Any:
    answer = client.node.get(f"/{name}")
    assert answer.status == 200, answer.body
    return answer.json()


@covers("publish", "`PUT /PACKAGE`")
def test_publish(client: Client, tmp_path: Path) -> None:
    name = f"@publish/{client.name}"
    source = write_project(tmp_path / "source", {"name": name, "version": "1.0.0"}, index__js="module.exports = 1")
    if client.name == "yarn-4":
        (source / "yarn.lock").touch()
        client.call(source, "install")
    client.call(source, "publish")
    [manifest] = packument(client, name)["versions"].values()
    assert (manifest["name"], manifest["version"]) == (name, "1.0.0")
    assert client.node.get(f"/{name}/-/{client.name}-1.0.0.tgz").status == 200
    (source / "index.js").write_text("module.exports = 2")
    again = client.call(source, "publish", check=False)
    assert again.returncode != 0, "a version never changes"
    assert packument(client, name)["versions"]["1.0.0"] == manifest

    stranger = Client(client.name, tmp_path / "stranger", client.node)
    (source / "package.json").write_text(json.dumps({"name": name, "version": "2.0.0"}))
    refused = stranger.call(source, "publish", check=False)
    assert (refused.returncode != 0, list(packument(client, name)["versions"])) == (True, ["1.0.0"])


@covers("deprecate", "`PUT /PACKAGE`")
def test_deprecate(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@deprecate/{client.name}", "1.0.0", "1.1.0", "2.0.0")
    client.call(project(tmp_path / "app", client), "deprecate", package=f"{name}@1.x", message="Use 2.")
    versions = packument(client, name)["versions"]
    assert {version: manifest.get("deprecated") for version, manifest in versions.items()} == {
        "1.0.0": "Use 2.",
        "1.1.0": "Use 2.",
        "2.0.0": None,
    }


@covers("undeprecate", "`PUT /PACKAGE`")
def test_undeprecate(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@undeprecate/{client.name}", "1.0.0", "1.1.0", deprecated="Old.")
    client.call(project(tmp_path / "app", client), "undeprecate", package=f"{name}@1.0.0")
    versions = packument(client, name)["versions"]
    assert [manifest.get("deprecated") for manifest in versions.values()] == [None, "Old."]


@covers("tag add", "`PUT /-/package/PACKAGE/dist-tags/TAG`")
def test_tag_add(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@tag-add/{client.name}", "1.0.0", "1.1.0")
    client.call(project(tmp_path / "app", client), "tag add", package=f"{name}@1.0.0", tag="old")
    assert packument(client, name)["dist-tags"] == {"latest": "1.1.0", "old": "1.0.0"}


@covers("tag rm", "`DELETE /-/package/PACKAGE/dist-tags/TAG`")
def test_tag_rm(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@tag-rm/{client.name}", "1.0.0")
    path = f"/-/package/{name.replace('/', '%2f')}/dist-tags/old"
    app = project(tmp_path / "app", client)
    client.call(app, "tag add", package=f"{name}@1.0.0", tag="old")
    client.call(app, "tag rm", package=name, tag="old")
    assert packument(client, name)["dist-tags"] == {"latest": "1.0.0"}
    assert [access.status for access in client.node.accesses() if access[:2] == ("DELETE", path)] == [201]


@covers("owner ls", "`GET /PACKAGE`")
def test_owner_ls(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@owner-ls/{client.name}", "1.0.0")
    assert "ann" in client.call(project(tmp_path / "app", client), "owner ls", package=name).stdout.split()


@covers("owner add", "`GET /-/user/…`, `PUT /PACKAGE/-rev/REV`; pnpm: `PUT /-/package/PACKAGE/owners`")
def test_owner_add(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"owner-add-{client.name}", "1.0.0")
    log_in(client.node, "bob")
    app = project(tmp_path / "app", client)
    client.call(app, "owner add", package=name, user="bob")
    assert [person["name"] for person in packument(client, name)["maintainers"]] == ["ann", "bob"]
    unknown = client.call(app, "owner add", check=False, package=name, user="nobody")
    assert unknown.returncode != 0


@covers("owner rm", "`PUT /PACKAGE/-rev/REV`; pnpm: `DELETE /-/package/PACKAGE/owners/USER`")
def test_owner_rm(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"owner-rm-{client.name}", "1.0.0")
    log_in(client.node, "bob")
    app = project(tmp_path / "app", client)
    client.call(app, "owner add", package=name, user="bob")
    client.call(app, "owner rm", package=name, user="bob")
    assert [person["name"] for person in packument(client, name)["maintainers"]] == ["ann"]


@covers("unpublish", "`PUT /PACKAGE/-rev/REV`, `DELETE /PACKAGE/-/FILE/-rev/REV`")
def test_unpublish(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@unpublish/{client.name}", "1.0.0", "1.1.0")
    client.call(project(tmp_path / "app", client), "unpublish", package=f"{name}@1.1.0")
    assert list(packument(client, name)["versions"]) == ["1.0.0"]
    assert packument(client, name)["dist-tags"] == {"latest": "1.0.0"}
    assert client.node.get(f"/{name}/-/{client.name}-1.1.0.tgz").status == 404


@covers("unpublish all", "`DELETE /PACKAGE/-rev/REV`")
def test_unpublish_all(client: Client, publish: Publish, tmp_path: Path) -> None:
    name = publish(f"@unpublish-all/{client.name}", "1.0.0", "1.1.0")
    client.call(project(tmp_path / "app", client), "unpublish all", package=name)
    gone = client.node.get(f"/{name}")
    assert (gone.status, "was unpublished" in gone.json()["error"]) == (404, True)
