"""Packages as they are, from the registry that npm on this machine is configured with."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from support.clients import Npm, write_locked
from support.nodes import running_nodes
from support.trees import difference

pytestmark = pytest.mark.e2e

APP = """
const express = require('express');
const app = express().get('/', (request, response) => response.send(`odd: ${require('is-odd')(3)}`));
const server = app.listen(0, '127.0.0.1', async () => {
  console.log(await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text());
  server.close();
});
"""


def run(*command, cwd):
    env = {**os.environ, "XDG_CACHE_HOME": str(cwd.parent / "cache")}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def libreseed(*arguments, cwd):
    return run(sys.executable, "-c", "from libreseed.cli.main import main; main()", *arguments, cwd=cwd)


@pytest.fixture
def upstream(tmp_path):
    return run("npm", "config", "get", "registry", cwd=tmp_path).strip()


def test_the_tree_is_npms_and_node_loads_from_it(tmp_path, upstream):
    app = write_locked(tmp_path / "app", "express")
    # is-odd 3 wants is-number 6, fill-range wants 7: one of them is nested; esbuild is optional for most systems.
    specs = ["is-odd@3.0.1", "fill-range@7.1.1", "@babel/parser@7.29.7", "semver@7.8.6", "esbuild@0.25.12"]
    libreseed("install", *specs, "--registry", upstream, cwd=app)

    (app / "app.js").write_text(APP)
    (app / "registered.js").write_text("require('libreseed/register');\nrequire('./app.js');\n")
    tree = app / ".libreseed_modules/node_modules"
    assert libreseed("run", "app.js", cwd=app) == "odd: true\n"
    assert run("node", "-r", str(tree / "libreseed/register.cjs"), "app.js", cwd=app) == "odd: true\n"
    assert run("node", "registered.js", cwd=app) == "odd: true\n"
    assert libreseed("exec", "semver", "1.2.3", "-r", "^1.0.0", cwd=app) == "1.2.3\n"
    assert len(list(tree.rglob("is-number/package.json"))) == 2

    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(app / name, plain / name)
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=plain)
    assert difference(tree, plain / "node_modules") == set()


@pytest.mark.parametrize(
    ("project", "least"), [("small", 90), ("medium", 350), ("large", 900)], ids=["small", "medium", "large"]
)
def test_ci_writes_the_tree_that_npm_ci_writes(tmp_path, project, least):
    with running_nodes(tmp_path) as nodes:
        node = nodes.start("node")
        ours = write_locked(tmp_path / "ours", project)
        libreseed("install", "--registry", node.url, cwd=ours)
        lock = (ours / "package-lock.json").read_bytes()
        summary = json.loads(libreseed("ci", "--json", "--registry", node.url, cwd=ours))
        assert set(summary["sources"]) == {"store"}
        assert summary["packages"] >= least
        assert (ours / "package-lock.json").read_bytes() == lock

        plain = write_locked(tmp_path / "plain", project, node.url)
        Npm(tmp_path / "npm", node).run(plain, "ci", "--ignore-scripts")
        assert difference(ours / ".libreseed_modules/node_modules", plain / "node_modules") == set()
