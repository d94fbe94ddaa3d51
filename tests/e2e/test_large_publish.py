"""Publishing what is large, with the real npm: what the node holds of it in memory, and what it leaves behind."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from support.clients import Npm, run, tool, write_project
from support.nodes import NodeProcess, Nodes

SIZE = 64 << 20


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package of 64 MiB that no compression makes smaller."""
    folder = write_project(tmp_path / "big", {"name": "big", "version": "1.0.0"})
    (folder / "big.bin").write_bytes(os.urandom(SIZE))
    return folder


def peak(node: NodeProcess) -> int:
    """The most memory that the node has held so far, in bytes."""
    [line] = [line for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) << 10


def incoming(node: NodeProcess) -> list[Path]:
    return list((node.root / ".libreseed_modules" / ".swarm" / "incoming").iterdir())


@pytest.mark.parametrize("client", ["pnpm@12", "bun@1"])
def test_other_clients_publish_large_tarballs(nodes: Nodes, project: Path, tmp_path: Path, client: str) -> None:
    node = nodes.start("node", "--upstream", "none")
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    (project / ".npmrc").write_text((tmp_path / "npm" / "npmrc").read_text())
    before = peak(node)
    arguments = ["--no-git-checks"] if client.startswith("pnpm") else []
    run([str(tool(client)), "publish", *arguments], project, npm.environment)
    assert peak(node) - before < SIZE
    assert (incoming(node), node.status()["store"]["tarballs"]) == ([], 1)


def test_a_large_tarball_is_not_held_in_memory(nodes: Nodes, project: Path, tmp_path: Path) -> None:
    node = nodes.start("node", "--upstream", "none")
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    before = peak(node)
    npm.run(project, "publish")
    assert peak(node) - before < SIZE
    assert incoming(node) == []
    app = write_project(tmp_path / "app", {"name": "app", "version": "1.0.0", "dependencies": {"big": "1.0.0"}})
    npm.run(app, "install")
    installed = (app / "node_modules" / "big" / "big.bin").read_bytes()
    assert installed == (project / "big.bin").read_bytes()
    shutil.rmtree(app)
    other = Npm(tmp_path / "npm-other", node)
    other.log_in("bob")
    npm.run(project, "version", "2.0.0")
    refused = other.run(project, "publish", check=False)
    assert (refused.returncode, "403" in refused.stderr) == (1, True)
    assert (incoming(node), node.status()["store"]["tarballs"]) == ([], 1)


def test_a_publish_that_is_broken_off_leaves_nothing(nodes: Nodes, tmp_path: Path) -> None:
    node = nodes.start("node", "--upstream", "none")
    npm = Npm(tmp_path / "npm", node)
    npm.log_in()
    token = (tmp_path / "npm" / "npmrc").read_text().partition(":_authToken=")[2].strip()
    head = f"PUT /pkg HTTP/1.1\r\nHost: localhost:{node.port}\r\nAuthorization: Bearer {token}\r\n"
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as client:
        client.sendall(f"{head}Content-Length: {1 << 26}\r\n\r\n".encode() + b'{"_attachments":{"a":{"data":"')
        client.sendall(b"AAAA" * (1 << 20))
        node.wait_for(lambda _: incoming(node), "nothing comes")
    node.wait_for(lambda _: not incoming(node), "the file is left")
    assert node.status()["store"]["tarballs"] == 0
