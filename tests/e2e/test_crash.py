"""kill -9 at any moment of an install: after a restart it completes, and every store verifies."""

import random
import time
from pathlib import Path

import pytest

from support.clients import Npm, run, write_locked, write_project
from support.lockfiles import NPM, manifest
from support.nodes import NodeProcess, Nodes, libreseed

pytestmark = pytest.mark.e2e

MOMENTS = 10
PROGRAM = "console.log(require('hello-of-the-swarm'), typeof require('express'))"


def test_any_node_killed_at_random_moments(nodes: Nodes, tmp_path: Path) -> None:
    publisher = nodes.start("publisher", "--upstream", "none")
    npm_publisher = Npm(tmp_path / "npm-publisher", publisher)
    npm_publisher.log_in()
    hello = write_project(
        tmp_path / "hello",
        {"name": "hello-of-the-swarm", "version": "1.0.0", "main": "index.js"},
        index__js="module.exports = 'hello'",
    )
    npm_publisher.run(hello, "publish")
    mirror = nodes.start("mirror", bootstrap=publisher)
    lock = _lock_file(mirror, publisher, tmp_path)

    moments = random.Random(4880)
    for number in range(MOMENTS):
        newcomer = nodes.start(f"newcomer-{number}", "--upstream", "none", bootstrap=mirror)
        npm = Npm(tmp_path / f"npm-{number}", newcomer)
        project = write_project(tmp_path / f"app-{number}", _manifest(), **{NPM: lock})
        victim = (newcomer, mirror, publisher)[number % 3]

        _kill_during(victim, npm, project, after=moments.randrange(60))
        victim.start()
        newcomer.joined()
        Npm(tmp_path / f"npm-{number}-again", newcomer).run(project, "ci")

        assert run(["node", "-e", PROGRAM], project).stdout == "hello function\n"
        assert "upstream" not in newcomer.tarball_sources()
        for node in (newcomer, mirror, publisher):
            libreseed("doctor", "--verify", "--root", str(node.root))
        newcomer.stop()


def _manifest() -> dict[str, object]:
    return manifest("express") | {"dependencies": manifest("express")["dependencies"] | {"hello-of-the-swarm": "1.0.0"}}


def _lock_file(mirror: NodeProcess, publisher: NodeProcess, tmp_path: Path) -> str:
    """Have the mirror fetch everything, and return the lock file, to which npm adds what was published."""
    libreseed("trust", "add", "hello-of-the-swarm", publisher.publisher(), "--root", str(mirror.root))
    project = write_locked(tmp_path / "at-mirror", "express", mirror.url)
    Npm(tmp_path / "npm-mirror", mirror).run(project, "install", "--save-exact", "hello-of-the-swarm@1.0.0")
    mirror.settled()
    return (project / "package-lock.json").read_text()


def _kill_during(victim: NodeProcess, npm: Npm, project: Path, *, after: int) -> None:
    """Kill a node when npm has got `after` of its tarballs, then npm itself."""
    installing = npm.start(project, "ci")
    while installing.poll() is None and len(npm.node.tarball_sources()) < after:
        time.sleep(0.002)
    victim.kill()
    installing.kill()
    installing.wait()
