"""A project of some hundred packages by the big four: into an empty node, from the full one, and with no upstream.

They have no lock file and resolve, but come to the versions of a committed one.
"""

from pathlib import Path

import pytest

from support.clients import run
from support.lockfiles import manifest, pins
from support.nodes import Nodes
from support.projects import CLIENTS, install_thrice

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DEPENDENCIES = manifest("webapp")["dependencies"]
PROGRAM = "for (const name of ['express', 'eslint', 'webpack']) console.log(name, typeof require(name))"


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CLIENTS])
def test_project(name: str, nodes: Nodes, tmp_path: Path) -> None:
    cold, warm, cut_off = install_thrice(name, nodes, tmp_path / "installs", DEPENDENCIES, pins("webapp"))
    for installed in (cold, warm, cut_off):
        assert installed.failed == set()
        assert run(["node", "-e", PROGRAM], installed.folder).stdout.count("\n") == len(DEPENDENCIES)
    assert len(cold.tarballs) > 150
    assert cold.sources == {"upstream"}
    assert cut_off.tarballs == warm.tarballs == cold.tarballs
    assert warm.sources == cut_off.sources == {"store"}
