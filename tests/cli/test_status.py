"""`libreseed status` against a running node, nobody, and a registry of another kind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from libreseed.cli.status import status_command
from libreseed.errors import UnavailableError
from support.nodes import Nodes, running_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with running_nodes(tmp_path) as started:
        yield started


def test_status_of_a_node(nodes: Nodes) -> None:
    node = nodes.start("node", "--upstream", "none")
    shown = CliRunner().invoke(status_command, ["--registry", node.url], catch_exceptions=False)
    assert node.publisher() in shown.output
    assert "0 other nodes known" in shown.output
    printed = CliRunner().invoke(status_command, ["--json", "--registry", node.url], catch_exceptions=False)
    assert json.loads(printed.output).keys() == node.status().keys()


def test_status_of_upstreams(nodes: Nodes, tmp_path: Path) -> None:
    config = tmp_path / "libreseed.toml"
    config.write_text('[upstreams.corp]\nurl = "http://127.0.0.1:9/"\npackages = ["@corp/*"]\nretries = 0\n')
    node = nodes.start("node", "--upstream", "none", "--config", str(config))
    lines = {"up": "corp: http://127.0.0.1:9/ for @corp/*, 0 requests", "down": "down: tried again "}
    for state, line in lines.items():
        shown = CliRunner().invoke(status_command, ["--registry", node.url], catch_exceptions=False)
        assert line in shown.output
        assert ("down" in shown.output) is (state == "down")
        assert {node.get("/@corp%2ftool").status for _ in range(10)} == {503}


def test_nobody_there() -> None:
    with pytest.raises(UnavailableError, match="No LibreSeed registry answers"):
        CliRunner().invoke(status_command, ["--registry", "http://127.0.0.1:9"], catch_exceptions=False)
