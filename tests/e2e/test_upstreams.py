"""Upstreams declared in the configuration file, as npm and `libreseed status` see them."""

import asyncio
from pathlib import Path

import pytest

from support.clients import Npm, write_project
from support.nodes import Nodes, libreseed
from support.running import asked, offer
from upstream.fake_registry import FakeRegistry

pytestmark = pytest.mark.e2e

CONFIG = """
upstream = "{public}"

[upstreams.corp]
url = "{corp}"
packages = ["@corp/*", "internal-*"]
token-env = "CORP_TOKEN"
timeout = 60
"""


async def test_each_name_comes_from_its_own_upstream(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORP_TOKEN", "secret")
    async with FakeRegistry() as public, FakeRegistry() as corp:
        config = tmp_path / "libreseed.toml"
        config.write_text(CONFIG.format(public=public.url, corp=corp.url))
        node = await asyncio.to_thread(nodes.start, "node", "--config", str(config))
        npm = Npm(tmp_path / "npm", node)
        for name in ("lodash", "internal-typo"):
            offer(public, name, "1.0.0")
        offer(corp, "@corp/tool", "1.0.0")

        wanted = {"lodash": "1.0.0", "@corp/tool": "1.0.0"}
        app = write_project(tmp_path / "app", {"name": "app", "dependencies": wanted})
        await asyncio.to_thread(npm.run, app, "install")
        assert (app / "node_modules/@corp/tool/package.json").exists()
        assert {request.headers["authorization"] for request in corp.requests} == {"Bearer secret"}

        confused = await asyncio.to_thread(npm.run, app, "install", "internal-typo", check=False)
        assert "404" in confused.stderr, confused.stderr
        assert asked(public, "/internal-typo") == 0

        shown = await asyncio.to_thread(libreseed, "status", "--registry", node.url)
        assert f"corp: {corp.url} for @corp/*, internal-*" in shown.stdout
        assert "secret" not in shown.stdout + node.text()


def test_a_wrong_table_is_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "libreseed.toml"
    config.write_text('[upstreams.corp]\nurl = "https://npm.corp.example/"\npackages = ["*"]\n')
    done = libreseed("serve", "--root", str(tmp_path), "--port", "0", "--config", str(config), check=False)
    assert done.returncode == 2
    assert "names of every kind" in done.stderr
    assert "Traceback" not in done.stderr
