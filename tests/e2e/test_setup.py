"""`libreseed setup` and back, with each real client, in a home of its own that is used to a registry with a login."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from support.clients import run, tool, write_project
from support.nodes import Nodes, libreseed
from support.packages import make_tarball, manifest_of
from upstream.fake_registry import FakeRegistry, Reply

pytestmark = pytest.mark.e2e

TOKEN = "former-secret"
BEFORE, AFTER = "left", "right"

FILES: dict[str, Callable[[str], dict[str, str]]] = {
    "npm": lambda url: {},
    "pnpm": lambda url: {".config/pnpm/config.yaml": f"registry: {url} # why\n"},
    "yarn1": lambda url: {".yarnrc": f'# mine\nregistry "{url}"'},
    "yarn4": lambda url: {".yarnrc.yml": f"npmRegistryServer: '{url}'\nunsafeHttpWhitelist: ['127.0.0.1']\n"},
    "bun": lambda url: {".bunfig.toml": f'[install] # mine\nregistry = {{ url = "{url}", token = "{TOKEN}" }}\n'},
}
"""What each client's own file in the home says before, beside `.npmrc`."""


@pytest.fixture
async def former() -> AsyncIterator[FakeRegistry]:
    """The registry from before; two packages are there."""
    async with FakeRegistry() as registry:
        for name in (BEFORE, AFTER):
            tarball = make_tarball(name, "1.0.0")
            packument = {
                "name": name,
                "dist-tags": {"latest": "1.0.0"},
                "versions": {"1.0.0": manifest_of(name, "1.0.0", tarball, registry.url)},
                "time": dict.fromkeys(("created", "modified", "1.0.0"), "2020-01-01T00:00:00.000Z"),
            }
            body = json.dumps(packument).encode()
            registry.on(f"/{name}", Reply(body=body, headers={"Content-Type": "application/json"}))
            registry.on(f"/{name}/-/{name}-1.0.0.tgz", Reply(body=tarball))
        yield registry


@pytest.fixture
def commands() -> dict[str, str]:
    """The clients, which come from the registry of the real home."""
    return {
        "npm": "npm",
        "pnpm": str(tool("pnpm@12")),
        "yarn1": str(tool("yarn@1")),
        "yarn4": str(tool("yarn@4")),
        "bun": str(tool("bun@1")),
    }


@pytest.fixture
def home(commands: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for this process and all that it starts."""
    for name in os.environ:
        if name.lower().startswith(("npm_config_", "pnpm_config_", "yarn_", "bun_", "xdg_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("YARN_ENABLE_TELEMETRY", "0")
    monkeypatch.setenv("YARN_CACHE_FOLDER", str(home / "yarn-cache"))  # yarn 1's is elsewhere for root
    return home


def write_all(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path, *names: str) -> dict[str, bytes | None]:
    return {name: (folder / name).read_bytes() if (folder / name).exists() else None for name in names}


def install(command: str, project: Path, package: str) -> None:
    run([command, "install" if command == "npm" else "add", package], project)


def paths_through(registry: FakeRegistry, *, node: bool) -> set[str]:
    """What the former registry was asked for through a node, or not."""
    return {
        request.target
        for request in registry.requests
        if ("x-libreseed-via" in {name.lower() for name in request.headers}) is node and request.method == "GET"
    }


def tokens(registry: FakeRegistry) -> set[str]:
    return {
        value
        for request in registry.requests
        for name, value in request.headers.items()
        if name.lower() == "authorization"
    }


@pytest.mark.parametrize("client", FILES)
async def test_a_client_is_pointed_here_and_back(
    client: str, commands: dict[str, str], home: Path, former: FakeRegistry, nodes: Nodes, tmp_path: Path
) -> None:
    host = former.url.removeprefix("http:")
    write_all(home, {".npmrc": f"registry={former.url}\n{host}:_authToken={TOKEN}\n", **FILES[client](former.url)})
    names = (".npmrc", ".yarnrc", ".yarnrc.yml", ".bunfig.toml", ".config/pnpm/config.yaml")
    before = contents(home, *names)

    def work() -> None:
        node = nodes.start("node")
        done = libreseed("setup", "--client", client, "--registry", node.url)
        assert f"before: {former.url}" in done.stdout
        node.restart()
        project = write_project(tmp_path / "project", {"name": "project", "version": "1.0.0"}, yarn__lock="")
        install(commands[client], project, BEFORE)
        assert node.tarballs() == [(f"/{BEFORE}/-/{BEFORE}-1.0.0.tgz", "upstream")]
        tarball = f"/{BEFORE}/-/{BEFORE}-1.0.0.tgz"
        assert paths_through(former, node=True) >= {f"/{BEFORE}", tarball}
        assert paths_through(former, node=False) == set()
        assert tokens(former) == {f"Bearer {TOKEN}"}

        done = libreseed("setup", "--undo")
        assert "restored" in done.stdout
        assert contents(home, *names) == before
        install(commands[client], project, AFTER)
        assert f"/{AFTER}" in paths_through(former, node=False)
        assert f"/{AFTER}" not in paths_through(former, node=True)

    await asyncio.to_thread(work)


async def test_a_project_is_pointed_here_and_back(
    home: Path, former: FakeRegistry, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path / "project", {"name": "project", "version": "1.0.0"})
    host = former.url.removeprefix("http:")
    write_all(home, {".npmrc": "registry=http://127.0.0.1:9/\n"})
    write_all(project, {".npmrc": f"registry={former.url}\n{host}:_authToken={TOKEN}\n"})
    before = contents(project, ".npmrc", ".yarnrc", ".yarnrc.yml")
    (project / "deep").mkdir()
    monkeypatch.chdir(project / "deep")

    def work() -> None:
        node = nodes.start("node", "--upstream", "none")
        done = libreseed("setup", "--project", "--client", "yarn1", "--client", "yarn4", "--registry", node.url)
        assert f"This project used {former.url} of its own" in done.stdout
        assert f"--undo --project {project}" in done.stdout
        node.restart()
        install("npm", project, BEFORE)
        assert node.tarball_sources() == ["upstream"]
        assert tokens(former) == {f"Bearer {TOKEN}"}

        assert "nothing to undo" in libreseed("setup", "--undo").stdout
        libreseed("setup", "--undo", "--project", str(project))
        assert contents(project, *before) == before
        install("npm", project, AFTER)
        assert f"/{AFTER}" in paths_through(former, node=False)

    await asyncio.to_thread(work)
