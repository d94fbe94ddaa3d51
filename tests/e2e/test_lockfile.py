"""A lock file is all the trust that `npm ci` needs: real trees from the swarm, nothing trusted, no upstream."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.clients import Npm, run, tool, write_locked, write_project
from support.liar import lying_node
from support.lockfiles import tarballs
from support.nodes import NodeProcess, Nodes, libreseed, running_nodes

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lockfile")]

PROJECTS = {
    "express": {
        "main__cjs": """
            const app = require('express')()
            app.get('/', (_, answer) => answer.send('served'))
            const server = app.listen(0, '127.0.0.1', async () => {
                const answer = await fetch(`http://127.0.0.1:${server.address().port}/`)
                console.log(await answer.text())
                server.close()
            })
        """
    },
    "react": {
        "index__html": "<div id='root'></div><script type='module' src='/main.jsx'></script>",
        "main__jsx": """
            import { createRoot } from 'react-dom/client'
            createRoot(document.getElementById('root')).render(<b>built</b>)
        """,
        "main__cjs": """
            require('node:child_process').execFileSync('npx', ['--no-install', 'vite', 'build'])
            const { readdirSync } = require('node:fs')
            console.log(readdirSync('dist').includes('index.html') ? 'served' : 'not built')
        """,
    },
    "eslint": {
        "eslint__config__mjs": "export default [{ rules: { 'no-debugger': 'error' } }]",
        "bad__js": "debugger\n",
        "main__cjs": """
            const { ESLint } = require('eslint')
            new ESLint().lintFiles(['bad.js']).then(([found]) =>
                console.log(found.messages[0].ruleId === 'no-debugger' ? 'served' : found))
        """,
    },
}
"""The files of the projects whose lock files are committed."""


@dataclass
class Filled:
    """A mirror that has fetched the trees of all projects from the upstream."""

    nodes: Nodes
    mirror: NodeProcess
    folder: Path

    def project(self, name: str, where: str) -> Path:
        return write_locked(self.folder / where / name, name, self.mirror.url, **PROJECTS[name])

    def unlocked(self, where: str) -> Path:
        """Write a project without a lock file, whose packages the mirror has as well."""
        manifest = {"name": "unlocked", "version": "1.0.0", "dependencies": {"is-odd": "3.0.1"}}
        main = "console.log(require('is-odd')(3) ? 'served' : 'even')"
        return write_project(self.folder / where / "unlocked", manifest, main__cjs=main)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("lockfile")
    with running_nodes(folder) as nodes:
        filled = Filled(nodes, nodes.start("mirror"), folder)
        npm = Npm(folder / "npm-mirror", filled.mirror)
        for name in PROJECTS:
            npm.run(filled.project(name, "at-mirror"), "ci", "--ignore-scripts")
        npm.run(filled.unlocked("at-mirror"), "install")
        filled.mirror.settled()
        yield filled


def runs(project: Path) -> None:
    assert run(["node", "main.cjs"], project).stdout.strip() == "served"


def assert_no_upstream(node: NodeProcess) -> None:
    """No upstream was counted, and Python asked for no name, process or connection beyond this machine."""
    assert node.status()["upstream"] == {"url": None, "requests": 0}
    strangers = [line for line in node.audited() if "127.0.0.1" not in line and "localhost" not in line]
    assert strangers == []


def test_ci_from_the_swarm_with_nothing_trusted(filled: Filled) -> None:
    newcomer = filled.nodes.start("newcomer", "--upstream", "none", bootstrap=filled.mirror)
    npm = Npm(filled.folder / "npm-newcomer", newcomer)
    for name in PROJECTS:
        project = filled.project(name, "at-newcomer")
        npm.run(project, "ci", "--ignore-scripts")
        runs(project)
    answered = newcomer.tarballs()
    assert len(answered) > 150
    first = dict(reversed(answered))
    assert set(first.values()) == {"swarm"}
    assert len(answered) - len(first) == newcomer.tarball_sources().count("store")
    assert_no_upstream(newcomer)


def test_wrong_content_keys_change_nothing_but_the_log(filled: Filled) -> None:
    digests = list(tarballs("express").values())
    newcomer = filled.nodes.start("misled", "--upstream", "none", bootstrap=filled.mirror)
    with lying_node(filled.folder / "liar", newcomer.overlay(), digests):
        project = filled.project("express", "misled-app")
        Npm(filled.folder / "npm-misled", newcomer).run(project, "ci")
        runs(project)
    assert set(newcomer.tarball_sources()) == {"swarm"}
    assert "came with wrong bytes" in newcomer.text()
    assert_no_upstream(newcomer)


def test_install_without_a_lock_file_from_a_trusted_mirror(filled: Filled) -> None:
    newcomer = filled.nodes.start("trusting", "--upstream", "none", bootstrap=filled.mirror)
    npm = Npm(filled.folder / "npm-trusting", newcomer)
    project = filled.unlocked("trusting-app")
    key = filled.mirror.publisher()
    refused = npm.run(project, "install", check=False)
    assert f"libreseed trust mirror {key}" in refused.stderr

    libreseed("trust", "mirror", key, "--root", str(newcomer.root))
    npm.run(project, "install")
    runs(project)
    assert set(newcomer.tarball_sources()) == {"swarm"}
    assert_no_upstream(newcomer)


def test_pnpm_from_a_trusted_mirror(filled: Filled) -> None:
    lock = ""
    for number, options in enumerate(([], ["--frozen-lockfile"])):
        newcomer = filled.nodes.start(f"for-pnpm-{number}", "--upstream", "none", bootstrap=filled.mirror)
        libreseed("trust", "mirror", filled.mirror.publisher(), "--root", str(newcomer.root))
        home = filled.folder / f"pnpm-{number}"
        project = filled.unlocked(home.name)
        if lock:
            (project / "pnpm-lock.yaml").write_text(lock)
        environment = {
            **Npm(home, newcomer).environment,
            "npm_config_registry": f"{newcomer.url}/",
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
        }
        run([str(tool("pnpm@12")), "install", *options], project, environment)
        runs(project)
        assert set(newcomer.tarball_sources()) == {"swarm"}
        assert_no_upstream(newcomer)
        lock = (project / "pnpm-lock.yaml").read_text()
