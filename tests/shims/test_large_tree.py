"""A tree of several hundred real packages: what every specifier comes to, compared with the tree that npm made."""

import json
from pathlib import Path

import pytest

from shims.tooling import copy_folder
from support.clients import tool, tools
from support.trees import OURS, node_runner, write, write_shims

RESOLVE = (Path(__file__).parent / "resolve-all.mjs").read_text()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["20", "24"])
def test_every_specifier_comes_to_the_same(tmp_path, version):
    from_npm = tools("large-tree")
    results = {}
    for root, tree in ((tmp_path / "plain", "node_modules"), (tmp_path / "libre", OURS)):
        copy_folder(from_npm / "node_modules", root / tree)
        write(root, {"package.json": "{}", "src/resolve.mjs": RESOLVE})
        env = {}
        if tree == OURS:
            register = write_shims(root) / "register.cjs"
            env = {"NODE_OPTIONS": f'--require "{register}"'}
        done = node_runner(root, str(tool(f"node@{version}")))("src/resolve.mjs", tree, env=env)
        assert done.returncode == 0, done.stderr
        results[tree] = json.loads(done.stdout.replace(OURS, "node_modules").replace(str(root), ""))
    ours, plain = results[OURS], results["node_modules"]
    assert {name: (ours.get(name), result) for name, result in plain.items() if ours.get(name) != result} == {}
    found = [pair for pair in plain.values() if "/" in (pair[0] or "") and "/" in (pair[1] or "")]
    assert len(found) > 5000
