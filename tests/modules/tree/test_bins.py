import os

import pytest

from libreseed.errors import InvalidInputError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.tree.bins import check_bins, link_bins


def package(location, **bins):
    name = location.rpartition("node_modules/")[2]
    return LockedPackage(location, name, "1.0.0", bytes(64), f"{name}-1.0.0.tgz", bin=bins)


def write(path, data=b"#!/usr/bin/env node\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_links_are_relative_and_targets_executable(tmp_path):
    write(tmp_path / "node_modules/@s/a/bin/cli.js")
    write(tmp_path / "node_modules/@s/a/node_modules/b/b.js")
    link_bins(
        tmp_path,
        [package("node_modules/@s/a", a="./bin/cli.js"), package("node_modules/@s/a/node_modules/b", b="b.js")],
    )
    link = tmp_path / "node_modules/.bin/a"
    assert str(link.readlink()) == "../@s/a/bin/cli.js"
    assert os.access(link, os.X_OK)
    assert str((tmp_path / "node_modules/@s/a/node_modules/.bin/b").readlink()) == "../b/b.js"


def test_windows_line_ends_of_the_first_line_go_in_a_new_file(tmp_path):
    file = tmp_path / "node_modules/a/a.js"
    write(file, b"#!/usr/bin/env node\r\nfirst\r\n")
    os.link(file, tmp_path / "the tree before")
    link_bins(tmp_path, [package("node_modules/a", a="a.js")])
    assert file.read_bytes() == b"#!/usr/bin/env node\nfirst\r\n"
    assert (tmp_path / "the tree before").read_bytes() == b"#!/usr/bin/env node\r\nfirst\r\n"


def test_the_first_of_two_packages_gets_the_command_and_missing_files_are_passed_over(tmp_path):
    write(tmp_path / "node_modules/a/x.js")
    write(tmp_path / "node_modules/b/x.js")
    link_bins(tmp_path, [package("node_modules/b", x="x.js"), package("node_modules/a", x="x.js", gone="gone.js")])
    assert {link.name: str(link.readlink()) for link in (tmp_path / "node_modules/.bin").iterdir()} == {
        "x": "../a/x.js"
    }


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("../evil", "a.js"),
        ("a/../../evil", "a.js"),
        ("..", "a.js"),
        ("", "a.js"),
        ("a\\b", "a.js"),
        ("a", "../other/a.js"),
        ("a", "/bin/sh"),
        ("a", "x/../../a.js"),
    ],
)
def test_commands_stay_inside(command, file):
    with pytest.raises(InvalidInputError):
        check_bins(package("node_modules/a", **{command: file}))
