"""The content codings that real clients ask for are the ones that they can read."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from support.clients import Npm, run, tool, write_project
from support.nodes import Nodes
from support.running import offer
from upstream.fake_registry import FakeRegistry

CLIENTS = {"npm": "gzip", "pnpm": "zstd", "bun": "zstd"}


def install(client: str, npm: Npm, app: Path) -> None:
    """Install with an empty cache."""
    if client == "npm":
        npm.run(app, "install")
        return
    home = app.parent / "home"
    environment = {**npm.environment, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home)}
    environment |= {"BUN_INSTALL_CACHE_DIR": str(home / "bun"), "PATH": os.environ["PATH"]}
    (app / ".npmrc").write_text(f"registry={npm.node.url}/\nstore-dir={home}/store\ncache-dir={home}/cache\n")
    arguments = ["--config.minimumReleaseAge=0"] if client == "pnpm" else []
    run([str(tool(f"{client}@{'1' if client == 'bun' else '12'}")), "install", *arguments], app, environment)


@pytest.mark.parametrize("client", CLIENTS)
async def test_what_a_client_asks_for_it_can_read(nodes: Nodes, tmp_path: Path, client: str) -> None:
    """Twice, the second time with what was kept over a restart."""
    async with FakeRegistry() as upstream:
        offer(upstream, "pkg", "1.0.0", description=random.Random(0).randbytes(400_000).hex())
        node = nodes.start("node", "--upstream", upstream.url)
        for number in range(2):
            npm = Npm(tmp_path / f"npm{number}", node)
            project = {"name": "app", "version": "1.0.0", "dependencies": {"pkg": "1.0.0"}}
            app = write_project(tmp_path / f"run{number}" / "app", project)
            await asyncio.to_thread(install, client, npm, app)
            assert (app / "node_modules" / "pkg" / "package.json").exists()
            await asyncio.to_thread(node.stop)
            await asyncio.to_thread(node.start)
    offered = {"npm": "gzip,deflate", "pnpm": "zstd,gzip,deflate", "bun": "gzip, deflate, br, zstd"}[client]
    answer = node.get("/pkg", **{"Accept-Encoding": offered})
    assert answer.headers["Content-Encoding"] == CLIENTS[client]
