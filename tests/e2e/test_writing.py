"""npm's writing commands against a real node, and what a node that pinned the publisher sees of them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from support.clients import Npm, write_project
from support.nodes import WAIT_SECONDS, NodeProcess, Nodes, libreseed

pytestmark = pytest.mark.e2e

NAME = "@acme/tool"
PATH = "/@acme%2ftool"
VERSIONS = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0"]


def publish_all(npm: Npm, folder: Path) -> None:
    npm.log_in()
    for version in VERSIONS:
        project = write_project(folder / version, {"name": NAME, "version": version})
        npm.run(project, "publish", "--access", "public")


def deprecations(packument: dict[str, Any]) -> dict[str, str | None]:
    return {version: manifest.get("deprecated") for version, manifest in packument["versions"].items()}


def until(node: NodeProcess, condition: Any) -> None:
    """Ask for the package until `condition(answer)` holds: a node looks for a newer record every few seconds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition(answer := node.get(PATH)):
        assert time.monotonic() < end, answer.body
        time.sleep(0.1)


def test_npm_writes(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm", publisher)
    publish_all(npm, tmp_path / "sources")
    newcomer = nodes.start("newcomer", "--upstream", "none", bootstrap=publisher)
    libreseed("trust", "add", "@acme/*", publisher.publisher(), "--root", str(newcomer.root))
    empty = write_project(tmp_path / "empty", {"name": "empty", "version": "1.0.0"})

    def view(*fields: str) -> Any:
        return json.loads(npm.run(empty, "view", NAME, *fields, "--json").stdout)

    # deprecate
    npm.run(empty, "deprecate", f"{NAME}@1.x", "Use 2.")
    expected = dict.fromkeys(VERSIONS[:4], "Use 2.") | {"2.0.0": None}
    assert deprecations(publisher.get(PATH).json()) == expected
    assert json.loads(npm.run(empty, "view", f"{NAME}@1.3.0", "deprecated", "--json").stdout) == "Use 2."
    npm.run(empty, "deprecate", f"{NAME}@1.3.0", "")
    expected["1.3.0"] = None
    assert deprecations(publisher.get(PATH).json()) == expected

    # dist-tag
    npm.run(empty, "dist-tag", "add", f"{NAME}@1.3.0", "old")
    npm.run(empty, "dist-tag", "add", f"{NAME}@1.3.0", "gone")
    npm.run(empty, "dist-tag", "rm", NAME, "gone")
    assert npm.run(empty, "dist-tag", "ls", NAME).stdout.split("\n")[:2] == ["latest: 2.0.0", "old: 1.3.0"]
    assert view("dist-tags") == {"latest": "2.0.0", "old": "1.3.0"}

    until(newcomer, lambda answer: answer.status == 200 and answer.json()["dist-tags"].get("old") == "1.3.0")
    assert deprecations(newcomer.get(PATH).json()) == expected

    # owner
    bob = Npm(tmp_path / "npm-bob", publisher)
    bob.log_in("bob")
    refused = bob.run(empty, "deprecate", NAME, "Mine!", check=False)
    assert refused.returncode != 0
    assert "is maintained by ann" in refused.stderr
    assert npm.run(empty, "owner", "add", "nobody", NAME, check=False).returncode != 0
    npm.run(empty, "owner", "add", "bob", NAME)
    assert npm.run(empty, "owner", "ls", NAME).stdout == "ann <>\nbob <>\n"
    bob.run(empty, "owner", "rm", "ann", NAME)
    assert bob.run(empty, "owner", "ls", NAME).stdout == "bob <>\n"
    bob.run(empty, "owner", "add", "ann", NAME)

    # star
    npm.run(empty, "star", NAME)
    assert npm.run(empty, "stars").stdout == f"{NAME}\n"
    npm.run(empty, "unstar", NAME)
    assert npm.run(empty, "stars").stdout == ""

    # unpublish one version
    npm.run(empty, "unpublish", f"{NAME}@2.0.0")
    assert view("versions") == VERSIONS[:4]
    assert view("dist-tags") == {"latest": "1.3.0", "old": "1.3.0"}
    assert publisher.get("/@acme/tool/-/tool-2.0.0.tgz").status == 404
    again = npm.run(tmp_path / "sources" / "2.0.0", "publish", "--force", check=False)
    assert again.returncode != 0
    assert "a version never changes" in again.stderr
    until(newcomer, lambda answer: list(answer.json()["versions"]) == VERSIONS[:4])

    # unpublish everything
    npm.run(empty, "unpublish", NAME, "--force")
    gone = npm.run(empty, "view", NAME, check=False)
    assert "E404" in gone.stderr
    assert "was unpublished" in publisher.get(PATH).json()["error"]
    assert npm.run(tmp_path / "sources" / "1.0.0", "publish", check=False).returncode != 0
    until(newcomer, lambda answer: answer.status == 404 and "was unpublished" in answer.json()["error"])

    # and the name is still ours
    npm.run(write_project(tmp_path / "sources" / "3.0.0", {"name": NAME, "version": "3.0.0"}), "publish")
    until(newcomer, lambda answer: answer.status == 200 and list(answer.json()["versions"]) == ["3.0.0"])


def test_writes_of_strangers_are_refused(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm = Npm(tmp_path / "npm", publisher)
    publish_all(npm, tmp_path / "sources")
    newcomer = nodes.start("newcomer", "--upstream", "none", bootstrap=publisher)
    libreseed("trust", "add", "@acme/*", publisher.publisher(), "--root", str(newcomer.root))
    anonymous = Npm(tmp_path / "npm-anonymous", publisher)
    elsewhere = Npm(tmp_path / "npm-newcomer", newcomer)
    elsewhere.log_in("eve")
    empty = write_project(tmp_path / "empty", {"name": "empty", "version": "1.0.0"})
    before = publisher.get(PATH).json()
    for command in (
        ("deprecate", NAME, "Mine!"),
        ("dist-tag", "add", f"{NAME}@1.0.0", "mine"),
        ("dist-tag", "rm", NAME, "latest"),
        ("unpublish", f"{NAME}@1.0.0"),
        ("unpublish", NAME, "--force"),
    ):
        unknown = anonymous.run(empty, *command, check=False)
        assert (unknown.returncode != 0, "E401" in unknown.stderr or "ENEEDAUTH" in unknown.stderr) == (
            True,
            True,
        ), unknown.stderr
        refused = elsewhere.run(empty, *command, check=False)
        assert (refused.returncode != 0, "is pinned to" in refused.stderr) == (True, True), refused.stderr
    assert publisher.get(PATH).json() == before
