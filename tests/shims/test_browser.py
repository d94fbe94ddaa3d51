"""Vite's development mode, seen by a browser."""

from pathlib import Path

import pytest

from shims.tooling import copy_folder
from support.clients import tools
from support.debian import program
from support.trees import OURS, node_runner, package, write, write_shims

BROWSE = str(Path(__file__).parent / "browse.mjs")
PAGE = '<!doctype html><div id="root">nothing yet</div><script type="module" src="/src/main.jsx"></script>'
MAIN = """
import { createElement, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import uses from 'uses';
import 'style/main.css';

function App() {
  const [lazy, setLazy] = useState('');
  useEffect(() => { import('lazy').then((module) => setLazy(module.default)); }, []);
  useEffect(() => {
    const { color } = getComputedStyle(document.querySelector('p'));
    if (lazy) fetch('/report', { method: 'POST', body: `${document.body.innerText.trim()} in ${color}` });
  }, [lazy]);
  return createElement('p', null, `Hello ${uses} ${lazy}`);
}
createRoot(document.getElementById('root')).render(createElement(App));
"""


@pytest.fixture
def chromium():
    """The browser; Debian's is installed when the machine has none."""
    return program("chromium", "chromium", "chromium-browser", "google-chrome")


def test_vite_serves_a_page_that_works(tmp_path, chromium):
    from_npm = tools("large-tree") / "node_modules"
    for name in ("react", "react-dom", "scheduler"):
        copy_folder(from_npm / name, tmp_path / OURS / name)
    write(tmp_path, {"package.json": "{}", "index.html": PAGE, "src/main.jsx": MAIN})
    write(
        tmp_path,
        package(f"{OURS}/dep", "2.0.0")
        | package(f"{OURS}/uses", main="module.exports = require('dep');")
        | package(f"{OURS}/uses/node_modules/dep", "1.0.0")
        | package(f"{OURS}/lazy", main="export default 'later';", type="module")
        | {f"{OURS}/style/package.json": '{"name": "style"}', f"{OURS}/style/main.css": "p { color: rgb(1, 2, 3) }"},
    )
    write_shims(tmp_path)
    env = {"TOOLS": str(tools("bundlers"))}
    done = node_runner(tmp_path)(BROWSE, chromium, env=env)
    assert done.stdout.strip() == "Hello dep@1.0.0 later in rgb(1, 2, 3)", done.stderr
