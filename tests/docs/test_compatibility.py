"""The compatibility table is what the tests cover."""

import subprocess
import sys

from support.compatibility import DOCUMENT, TESTS, clients, document, rows
from support.registry_clients import KINDS


def test_the_table_is_that_of_the_tests() -> None:
    assert DOCUMENT.read_text() == document(), "write it anew: PYTHONPATH=tests python -m support.compatibility"


def test_each_cell_is_a_test_that_pytest_collects() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(TESTS)]
    listed = subprocess.run(command, cwd=TESTS.parents[2], capture_output=True, text=True, check=True).stdout
    collected = {line.rpartition("/")[2].partition("@")[0] for line in listed.splitlines() if "::" in line}
    cells = {f"{test}[{client}]" for row, test in rows() for client in clients(row.command)}
    assert len(cells) > 100
    assert cells - collected == set()


def test_each_command_of_a_client_has_a_row() -> None:
    covered = {row.command for row, _ in rows()}
    assert {command for kind in KINDS.values() for command in kind.commands} == covered
    assert all(kind.faults.keys() <= kind.commands.keys() for kind in KINDS.values())
