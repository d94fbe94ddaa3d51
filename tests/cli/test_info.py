"""`libreseed info` against a running node and nobody."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from libreseed.cli.info import info_command
from libreseed.errors import NotFoundError, UnavailableError
from support.clients import Npm, write_project
from support.nodes import NodeProcess, Nodes, running_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with running_nodes(tmp_path) as started:
        yield started


def show(node: NodeProcess, *arguments: str) -> str:
    done = CliRunner().invoke(info_command, [*arguments, "--registry", node.url], catch_exceptions=False)
    return done.output


def test_of_what_was_published(nodes: Nodes, tmp_path: Path) -> None:
    node = nodes.start("node", "--upstream", "none")
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    manifest = {"name": "@acme/tool", "version": "1.0.0", "description": "Does it."}
    npm.run(write_project(tmp_path / "tool", manifest), "publish", "--access", "public")
    for spec in ("@acme/tool", "@acme/tool@latest", "@acme/tool@^1.0.0"):
        shown = show(node, spec)
        for text in (
            "@acme/tool@1.0.0, one of 1 versions",
            "Does it.",
            "this node, where it was published",
            "in the store",
            "sha512-",
        ):
            assert text in shown
    assert json.loads(show(node, "@acme/tool@1.0.0", "--json"))["signature"] == "by its publisher"
    with pytest.raises(NotFoundError, match="has no version 2"):
        show(node, "@acme/tool@2")
    with pytest.raises(NotFoundError, match="name"):
        show(node, "No Name")


def test_nobody_there() -> None:
    arguments = ["pkg", "--registry", "http://127.0.0.1:9"]
    with pytest.raises(UnavailableError, match="No answer"):
        CliRunner().invoke(info_command, arguments, catch_exceptions=False)
