"""`npm search` on a node without upstream, after `npm publish`."""

import json
from pathlib import Path

from support.clients import Npm, write_project
from support.nodes import Nodes


def test_what_was_published_is_found(nodes: Nodes, tmp_path: Path) -> None:
    npm = Npm(tmp_path / "npm", nodes.start("node", "--upstream", "none"))
    npm.log_in()
    for name, description in (("@acme/http", "Serves the web."), ("left-padding", "Pads a text.")):
        manifest = {"name": name, "version": "1.0.0", "description": description, "keywords": ["handy"]}
        npm.run(write_project(tmp_path / name, manifest), "publish", "--access", "public")

    for words, expected in (
        (["handy"], {"@acme/http", "left-padding"}),
        (["serves"], {"@acme/http"}),
        (["@acme/http"], {"@acme/http"}),
        (["pad"], {"left-padding"}),
        (["maintainer:ann", "web"], {"@acme/http"}),
        (["nothing"], set()),
    ):
        found = json.loads(npm.run(tmp_path, "search", "--json", *words).stdout)
        assert {package["name"] for package in found} == expected
    shown = npm.run(tmp_path, "search", "pad").stdout
    for text in ("left-padding", "Pads a text.", "1.0.0", "ann", "handy"):
        assert text in shown
