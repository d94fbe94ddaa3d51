"""`npm audit` and `npm audit signatures` through a node; the upstream is scripted."""

import asyncio
import subprocess
from pathlib import Path

import orjson

from support.clients import Npm, run, write_project
from support.nodes import NodeProcess, Nodes
from support.running import offer
from support.signing import NO_TUF, RegistrySigner
from upstream.fake_registry import FakeRegistry, Reply

NAME = "@signed/pkg"
BULK = "/-/npm/v1/security/advisories/bulk"


def sign(upstream: FakeRegistry, *, forged: bool = False) -> None:
    """Let the upstream have keys, and a package that is signed with them, as npm's own registry does."""
    signer = RegistrySigner()
    upstream.on("/-/npm/v1/keys", Reply(body=signer.keys()))
    offer(upstream, NAME, "1.0.0")
    signer.sign(upstream, NAME, forged=forged)


async def audit_signatures(node: NodeProcess, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Install the package and check its signature, as on a machine of its own."""
    npm = Npm(folder / "npm", node)
    app = write_project(folder / "app", {"name": "app", "version": "1.0.0", "dependencies": {NAME: "1.0.0"}})
    await asyncio.to_thread(npm.run, app, "install")
    (folder / "no-tuf.cjs").write_text(NO_TUF)
    environment = {**npm.environment, "NODE_OPTIONS": f"--require {folder / 'no-tuf.cjs'}"}
    return await asyncio.to_thread(run, ["npm", "audit", "signatures"], app, environment, check=False)


async def test_signatures_are_checked_with_the_upstreams_keys(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        sign(upstream)
        node = nodes.start("node", "--upstream", upstream.url)
        online = await audit_signatures(node, tmp_path / "online")
    offline = await audit_signatures(node, tmp_path / "offline")
    for done in (online, offline):
        assert "1 package has a verified registry signature" in done.stdout, done.stderr


async def test_a_forged_signature_installs_nothing(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        sign(upstream, forged=True)
        npm = Npm(tmp_path / "npm", nodes.start("node", "--upstream", upstream.url))
        app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0", "dependencies": {NAME: "1.0.0"}})
        done = await asyncio.to_thread(npm.run, app, "install", check=False)
    assert done.returncode == 1
    assert f"signature of {NAME}@1.0.0 is wrong" in done.stderr
    assert not (app / "node_modules" / NAME).exists()


async def test_advisories_are_the_upstreams(nodes: Nodes, tmp_path: Path) -> None:
    flaw = {
        "id": 1,
        "url": "https://advisories.test/1",
        "title": "Leaks",
        "severity": "high",
        "vulnerable_versions": "*",
    }
    async with FakeRegistry() as upstream:
        offer(upstream, NAME, "1.0.0")
        upstream.on(BULK, Reply(body=orjson.dumps({NAME: [flaw]})))
        npm = Npm(tmp_path / "npm", nodes.start("node", "--upstream", upstream.url))
        app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0", "dependencies": {NAME: "1.0.0"}})
        installed = await asyncio.to_thread(npm.run, app, "install", "--audit")
        audited = await asyncio.to_thread(npm.run, app, "audit", check=False)
    assert "1 high severity vulnerability" in installed.stdout
    assert (audited.returncode, "Leaks" in audited.stdout) == (1, True)


async def test_without_advisories_installs_go_on_and_an_audit_says_so(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        offer(upstream, NAME, "1.0.0")
        node = nodes.start("node", "--upstream", upstream.url)
        npm = Npm(tmp_path / "npm", node)
        app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0", "dependencies": {NAME: "1.0.0"}})
        installed = await asyncio.to_thread(npm.run, app, "install", "--audit")
        audited = await asyncio.to_thread(npm.run, app, "audit", check=False)
    assert "vulnerabilities" not in installed.stdout, "what nobody looked for was not found to be absent"
    assert audited.returncode != 0
    assert "No security advisories" in audited.stderr
