"""`libreseed setup` as its user sees it; with the real clients it is tested in `tests/e2e`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from libreseed.cli.setup import setup_command
from libreseed.errors import UnauthorizedError, UnavailableError
from support.clients import run, tool, write_project
from support.nodes import Nodes, running_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with running_nodes(tmp_path) as started:
        yield started


@pytest.fixture
def yarn() -> Path:
    """yarn 4, which comes from the registry of the real home."""
    return tool("yarn@4")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.lower().startswith(("npm_config_", "yarn_", "bun_", "xdg_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def setup(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(setup_command, arguments, input=typed, catch_exceptions=False)


def test_nothing_is_written_when_no_registry_answers(home: Path) -> None:
    with pytest.raises(UnavailableError, match=r"No LibreSeed registry answers.*find nothing.*--force"):
        setup("--registry", "http://127.0.0.1:9")
    assert list(home.iterdir()) == []
    shown = setup("--registry", "http://127.0.0.1:9", "--force", "--client", "npm")
    assert "No LibreSeed registry answers there" in shown.output
    assert (home / ".npmrc").read_text() == "registry=http://127.0.0.1:9/\n"
    assert setup("--undo").exit_code == 0
    assert not (home / ".npmrc").exists()


def test_what_is_told(home: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    node = nodes.start("node", "--upstream", "none")
    (home / ".npmrc").write_text("registry=http://me:word@old.example/\n")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://you:word@other.example/")
    options = ("--registry", node.url, "--client", "npm")
    shown = setup(*options, "--dry-run").output
    assert "a dry run" in shown
    assert (home / ".npmrc").read_text() == "registry=http://me:word@old.example/\n"
    shown = setup(*options).output
    assert f"changed   {home / '.npmrc'} (before: http://old.example/)" in shown
    assert "NPM_CONFIG_REGISTRY overrules these files: it says http://other.example/" in shown
    assert "Back with: libreseed setup --undo\n" in shown
    assert "libreseed setup --login NAME" in shown
    assert "word" not in shown
    (home / ".npmrc").write_text("registry=http://mine.example/\n")
    told = json.loads(setup("--undo", "--json").output)
    assert told["files"] == [
        {"client": "npm", "path": str(home / ".npmrc"), "action": "merged", "former": None, "complete": False}
    ]
    assert setup("--undo").output == "There is nothing to undo here.\n"


def test_options_that_do_not_go_together(home: Path) -> None:
    assert setup("--undo", "--login", "ann").exit_code == 2


@pytest.mark.e2e
def test_after_a_login_publishing_works(yarn: Path, home: Path, nodes: Nodes, tmp_path: Path) -> None:
    node = nodes.start("node", "--upstream", "none")
    options = ("--registry", node.url, "--login", "ann", "--client", "npm", "--client", "yarn4")
    shown = setup(*options, typed="correct horse\n").output
    assert "correct horse" not in shown
    assert "--login" not in shown
    with pytest.raises(UnauthorizedError, match="does not let 'ann' in"):
        setup(*options, typed="wrong\n")
    npm = write_project(tmp_path / "npm", {"name": "by-npm", "version": "1.0.0"})
    run(["npm", "publish"], npm)
    berry = write_project(tmp_path / "berry", {"name": "by-yarn", "version": "1.0.0"}, yarn__lock="")
    run([str(yarn), "install", "--no-immutable"], berry)  # with CI=true it would make no lock file
    run([str(yarn), "npm", "publish"], berry)
    assert [node.get(f"/{name}").status for name in ("by-npm", "by-yarn")] == [200, 200]
    setup("--undo")
    assert list(home.glob(".npmrc")) == list(home.glob(".yarnrc.yml")) == []
