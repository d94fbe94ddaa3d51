"""What real clients do with what the policy hides: they take another version, or fail and say what they can."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.clients import Npm, run, tool, write_project
from support.nodes import NodeProcess, Nodes, libreseed
from support.running import offer
from upstream.fake_registry import FakeRegistry, Reply

pytestmark = pytest.mark.e2e

POLICY = """
[policy]
minimum-release-age = "7d"
block = ["evil", "chosen@1.2.0"]
replace = {"swapped@1.1.0" = "1.0.0"}
"""
CLIENTS = ["npm", "pnpm@12", "bun@1"]


async def script(upstream: FakeRegistry) -> None:
    offer(upstream, "evil", "1.0.0")
    offer(upstream, "swapped", "1.0.0", "1.1.0")
    offer(upstream, "chosen", "1.0.0", "1.1.0", "1.2.0", "1.3.0")
    [reply] = upstream.script["/chosen"]
    assert isinstance(reply, Reply)
    content = orjson.loads(reply.body)
    content["time"]["1.3.0"] = "2999-01-01T00:00:00.000Z"
    upstream.on("/chosen", Reply(body=orjson.dumps(content)))


class Client:
    """A package manager with projects and caches of its own."""

    def __init__(self, spec: str, folder: Path, node: NodeProcess) -> None:
        self.npm = Npm(folder / "npm", node)
        self._folder = folder
        self._command = "npm" if spec == "npm" else str(tool(spec))
        self._environment = {
            **self.npm.environment,
            "PATH": os.environ["PATH"],
            "npm_config_registry": f"{node.url}/",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "BUN_INSTALL_CACHE_DIR": str(folder / "bun"),
        }

    def install(self, name: str, **dependencies: str) -> tuple[int, str, Path]:
        """Install the dependencies of a new project; return the exit code, what was printed, and the project."""
        manifest = {"name": "app", "version": "1.0.0", "dependencies": dependencies}
        project = write_project(self._folder / name, manifest)
        (project / ".npmrc").write_text(f"registry={self._environment['npm_config_registry']}\n")
        done = run([self._command, "install"], project, self._environment, check=False)
        return done.returncode, done.stdout + done.stderr, project


def installed(project: Path, name: str) -> Any:
    return json.loads((project / "node_modules" / name / "package.json").read_text())["version"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(POLICY)
    return file


@pytest.mark.parametrize("spec", CLIENTS)
async def test_clients(nodes: Nodes, tmp_path: Path, config: Path, spec: str) -> None:
    async with FakeRegistry() as upstream:
        await script(upstream)
        node = nodes.start("node", "--upstream", upstream.url, "--config", str(config))
        client = await asyncio.to_thread(Client, spec, tmp_path / "client", node)

        async def install(name: str, **dependencies: str) -> tuple[int, str, Path]:
            return await asyncio.to_thread(client.install, name, **dependencies)

        code, text, project = await install("range", chosen="^1.0.0")
        assert (code, installed(project, "chosen")) == (0, "1.1.0"), text
        code, text, project = await install("swapped", swapped="1.1.0")
        assert (code, installed(project, "swapped")) == (0, "1.0.0"), text

        code, text, _ = await install("exact", chosen="1.2.0")
        assert code != 0
        assert 'chosen@1.2.0 is blocked by the rule block "chosen@1.2.0"' in text or spec != "npm"
        code, text, _ = await install("young", chosen="1.3.0")
        assert code != 0
        assert 'the rule minimum-release-age = "7d" of this registry: it can be had from' in text or spec != "npm"
        code, text, _ = await install("whole", evil="1.0.0")
        assert code != 0
        assert "403" in text
        assert 'evil is blocked by the rule block "evil" of this registry' in text or spec != "npm"
        await asyncio.to_thread(node.stop)  # the last request may be logged after its answer
        assert node.text().count("GET /evil 403") == 1, "a refusal is final: nobody tries again"


async def test_npm_ci_says_which_rule_stops_it(nodes: Nodes, tmp_path: Path, config: Path) -> None:
    async with FakeRegistry() as upstream:
        await script(upstream)
        free = nodes.start("free", "--upstream", upstream.url)
        strict = nodes.start("strict", "--upstream", upstream.url, "--config", str(config))
        manifest = {"name": "app", "version": "1.0.0", "dependencies": {"chosen": "1.3.0"}}
        project = write_project(tmp_path / "app", manifest)
        await asyncio.to_thread(Npm(tmp_path / "one", free).run, project, "install")
        done = await asyncio.to_thread(Npm(tmp_path / "two", strict).run, project, "ci", check=False)
    assert done.returncode == 1
    assert 'chosen@1.3.0 is blocked by the rule minimum-release-age = "7d"' in done.stderr


async def test_the_command_line(nodes: Nodes, tmp_path: Path, config: Path) -> None:
    """The option stands before the age in the file, and does without a file."""
    async with FakeRegistry() as upstream:
        await script(upstream)
        for name, options, latest in (
            ("file", ["--config", str(config)], "1.1.0"),
            ("both", ["--config", str(config), "--minimum-release-age", "0"], "1.3.0"),
            ("option", ["--minimum-release-age", "2d"], "1.2.0"),
        ):
            node = await asyncio.to_thread(nodes.start, name, "--upstream", upstream.url, *options)
            answer = await asyncio.to_thread(node.get, "/-/package/chosen/dist-tags")
            assert answer.json() == {"latest": latest}


@pytest.mark.parametrize(
    ("text", "says"), [("[policy]\nblok = []", "unknown key 'blok'"), ("policy = 5", "is a table")], ids=["key", "kind"]
)
def test_a_wrong_policy_is_told(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    done = libreseed("serve", "--root", str(tmp_path / "root"), "--config", str(file), check=False)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (2, True, False)
