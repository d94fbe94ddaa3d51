"""Packages as they are, from the registry that npm on this machine is configured with."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

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
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def libreseed(*arguments, cwd):
    return run(sys.executable, "-c", "from libreseed.cli.main import main; main()", *arguments, cwd=cwd)


@pytest.fixture
def upstream(tmp_path):
    return run("npm", "config", "get", "registry", cwd=tmp_path).strip()


def contents(base: Path) -> dict[str, tuple[str, bytes | str | None]]:
    """Every file, folder and link below `base` with its mode."""
    found = {}
    for folder, folders, files in os.walk(base):
        for path in (Path(folder, name) for name in (*folders, *files)):
            mode = stat.filemode(path.lstat().st_mode)
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path.relative_to(base))] = (mode, content)
    return found


def test_the_tree_is_npms_and_node_loads_from_it(tmp_path, upstream):
    app = tmp_path / "app"
    app.mkdir()
    # is-odd 3 wants is-number 6, fill-range wants 7: one of them is nested; esbuild is optional for most systems.
    specs = ["express@5", "is-odd@3", "fill-range@7", "@babel/parser@7", "semver@7", "esbuild@0.25"]
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
    ours, npms = contents(tree), contents(plain / "node_modules")
    for own in [path for path in ours if path == ".package-lock.json" or path.split("/")[0] == "libreseed"]:
        del ours[own]
    del npms[".package-lock.json"]
    assert ours.keys() == npms.keys()
    assert {path for path in ours if ours[path] != npms[path]} == set()
