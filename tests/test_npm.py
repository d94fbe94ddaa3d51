import os
import tempfile
from pathlib import Path

import pytest

from libreseed.errors import UnavailableError
from libreseed.npm import complaints, default_registry, find_command, list_config, project_folder, run_npm


@pytest.mark.parametrize("name", ["node", "npm"])
def test_without_node_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnavailableError, match=f"{name} is not on the PATH.*Install Node.js"):
        find_command(name, {"PATH": str(tmp_path)})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError):
        find_command(name)


async def test_npm_runs_in_a_folder(tmp_path: Path) -> None:
    done = await run_npm(["prefix"], tmp_path, timeout=60)
    assert (done.title, done.code, done.output.strip()) == ("npm prefix", 0, str(tmp_path))


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ("npm error code E404\nnpm error 404 Not Found - GET x\nnpm error A complete log of", ["Not Found - GET x"]),
        ("npm warn old\nnpm ERR! code ETARGET\nnpm ERR! notarget No version.", ["No version."]),
        ("npm error code X\nnpm error errno X\nnpm error\nnpm error FetchError: no", ["FetchError: no"]),
        ("npm error code ECONNREFUSED", []),
        ("Error: a crash\n    at somewhere", ["Error: a crash", "at somewhere"]),
        ("npm error " + 600 * "x", [500 * "x"]),
        ("", []),
    ],
)
def test_what_npm_complains_of(errors: str, told: list[str]) -> None:
    assert complaints(errors) == told


async def test_the_configuration_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".npmrc").write_text("registry=http://project.test/\n//project.test/:_authToken=s3cret\n")
    config = await list_config(os.environ, tmp_path, timeout=60)
    assert config["registry"] == "http://project.test/"
    assert "s3cret" not in repr(config)


async def test_the_project_of_a_workspace_is_the_one_that_has_it(tmp_path: Path) -> None:
    workspace, other = tmp_path / "packages" / "a", tmp_path / "other" / "deep"
    workspace.mkdir(parents=True)
    other.mkdir(parents=True)
    (workspace / "package.json").write_text('{"name": "a"}')
    assert await project_folder({"PATH": ""}, workspace, timeout=60) == workspace
    (tmp_path / "package.json").write_text('{"workspaces": ["packages/*"]}')
    (other.parent / "node_modules").mkdir()
    assert await project_folder(os.environ, workspace, timeout=60) == tmp_path
    assert await project_folder(os.environ, other, timeout=60) == other.parent
    assert await project_folder(os.environ, tmp_path / "packages", timeout=60) == tmp_path
    with pytest.raises(UnavailableError, match="npm is not on the PATH"):
        await project_folder({"PATH": str(tmp_path)}, workspace, timeout=60)


async def test_the_default_registry_is_nobodys_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    default = await default_registry({"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, timeout=60)
    assert default.startswith("https://")
    configured = {}
    for kind in ("userconfig", "globalconfig"):
        (tmp_path / kind).write_text("registry=http://configured.test/\n")
        configured[f"NPM_CONFIG_{kind.upper()}"] = str(tmp_path / kind)
    (tmp_path / ".npmrc").write_text("registry=http://configured.test/\n")
    (tmp_path / "package.json").write_text("{}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, **configured, "HOME": str(tmp_path), "npm_config_registry": "http://configured.test/"}
    assert await default_registry(environment, timeout=60) == default


@pytest.mark.skipif(os.name == "nt", reason="needs sh")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'npm error broken' >&2; exit 1", "its configuration: broken"),
        ("exit 7", "its configuration: exit code 7"),
        ("echo hello", "not JSON"),
        ("echo '[]'", "not JSON"),
        ("echo '{}'", "no registry of its own"),
    ],
)
async def test_an_npm_that_fails(tmp_path: Path, script: str, message: str) -> None:
    (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(UnavailableError, match=message):
        await default_registry({"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=60)
