"""`libreseed status` against a running node, nobody, and a registry of another kind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from libreseed.cli.status import status_command
from libreseed.errors import UnavailableError
from support.nodes import Nodes, running_nodes
from support.synthetic import make_package, serving


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with running_nodes(tmp_path) as started:
        yield started


def test_status_of_a_node(nodes: Nodes) -> None:
    node = nodes.start("node", "--upstream", "none", "--upload-limit", "500K")
    shown = CliRunner().invoke(status_command, ["--registry", node.url], catch_exceptions=False)
    assert node.publisher() in shown.output
    assert "0 other nodes known" in shown.output
    assert "upload 0.512 MB/s" in shown.output
    printed = CliRunner().invoke(status_command, ["--json", "--registry", node.url], catch_exceptions=False)
    assert json.loads(printed.output).keys() == node.status().keys()


def test_what_was_measured_of_others(nodes: Nodes, tmp_path: Path) -> None:
    with serving(packages := [make_package("pkg", 200_000, 1)]) as url:
        giver = nodes.start("giver", "--upstream", url)
        assert giver.get(packages[0].path).status == 200
        giver.settled()
    taker = nodes.start("taker", "--upstream", "none", bootstrap=giver)
    before = CliRunner().invoke(status_command, ["--peers", "--registry", taker.url], catch_exceptions=False)
    assert "Nothing has come from other nodes yet" in before.output
    answer = taker.get(packages[0].path, **{"pacote-integrity": packages[0].integrity})
    assert (answer.status, answer.source) == (200, "swarm")
    (seeder,) = taker.status()["seeders"]
    assert (seeder["peer"], seeder["lies"], seeder["failed"]) == (giver.status()["p2p"], 0, 0)
    assert seeder["verified"] >= 200_000
    shown = CliRunner().invoke(status_command, ["--peers", "--registry", taker.url], catch_exceptions=False)
    assert f"{seeder['peer']:24}" in shown.output
    assert "0.2 MB verified, 0 times wrong bytes" in shown.output


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
