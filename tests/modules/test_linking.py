import json
import os
import subprocess
import sys

import pytest

from libreseed import __version__
from libreseed.errors import ConflictError, NotFoundError
from libreseed.modules.linking import initialise, link_folder, link_packages, uninitialise, unlink
from libreseed.modules.project import Project
from libreseed.shims.render import render_package
from support.trees import OURS, node_runner, package, write

SHIMS = render_package(__version__)
MANIFEST = '{\n\t"name": "äpp",\n\t"dependencies": {\n\t\t"a": "1",\n\t\t"z": "1",\n\t\t"@s/b": "1"\n\t}\n}'


@pytest.fixture
def project(tmp_path):
    write(tmp_path, {"package.json": MANIFEST, "app.js": "require('libreseed/register'); console.log(require('a'));"})
    write(tmp_path, package(f"{OURS}/a", main="module.exports = require('deep');") | package(f"{OURS}/deep"))
    write(tmp_path, package(f"{OURS}/@s/b") | package(f"{OURS}/@types/node") | package(f"{OURS}/@s/deep"))
    return Project(tmp_path)


def entries(project):
    """Return everything in node_modules, links not followed."""
    modules = project.root / "node_modules"
    return sorted(str(path.relative_to(modules)) for path in modules.glob("**/*")) if os.path.lexists(modules) else None


def snapshot(project):
    return {
        str(path.relative_to(project.root)): path.readlink()
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in project.root.glob("**/*")
        if ".libreseed_modules" not in path.parts
    }


def test_init_lets_plain_node_load_and_is_undone(project):
    before = snapshot(project)
    assert initialise(project, SHIMS)
    assert not initialise(project, SHIMS)
    done = node_runner(project.root)("app.js")
    assert done.stdout == "deep@1.0.0\n", done.stderr
    text = project.manifest.read_text()
    assert '\n\t\t"libreseed": "file:.libreseed_modules/node_modules/libreseed",\n' in text
    assert "äpp" in text
    assert uninitialise(project)
    assert json.loads(project.manifest.read_text()) == json.loads(MANIFEST)
    assert snapshot(project).keys() == before.keys()
    assert not uninitialise(project)


def test_init_survives_npm_install_and_npm_ci(project):
    project.manifest.write_text('{"name": "app", "dependencies": {}}')
    initialise(project, SHIMS)
    for command in ("install", "prune", "ci"):
        npm = ["npm", command, "--offline", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=project.root, check=True, capture_output=True, timeout=120)
        assert node_runner(project.root)("app.js").stdout == "deep@1.0.0\n", command


def test_init_leaves_another_libreseed_alone(project):
    project.manifest.write_text('{"devDependencies": {"libreseed": "^1.0.0"}}')
    with pytest.raises(ConflictError, match="another libreseed"):
        initialise(project, SHIMS)
    assert not uninitialise(project)


def test_each_direct_dependency_is_linked_and_unlinked(project):
    initialise(project, SHIMS)
    write(project.root, package("node_modules/z") | package("node_modules/@s/own") | package(f"{OURS}/z"))
    before = snapshot(project)
    assert link_packages(project) == (["@s/b", "@types/node", "a"], ["z"])
    assert link_packages(project)[1] == ["z"]
    assert (project.root / "node_modules/@s/b").resolve() == project.tree / "@s/b"
    assert node_runner(project.root)("-p", "require('a')").stdout == "deep@1.0.0\n"
    (project.tree / "a/package.json").unlink()
    assert "a" not in link_packages(project)[0]
    assert "node_modules/a" not in snapshot(project)
    assert unlink(project) == ["@s/b", "@types/node"]
    assert snapshot(project) == before
    assert unlink(project) == []


def test_links_need_no_lock_file_of_npms(project):
    project.lockfile.write_text("{}")
    assert link_packages(project) == (["@s/b", "@types/node", "a"], [])
    assert unlink(project) == ["@s/b", "@types/node", "a"]


def test_the_whole_folder_is_linked_and_unlinked(project):
    initialise(project, SHIMS)
    before = snapshot(project)
    link_packages(project)
    link_folder(project)
    link_folder(project)
    assert (project.root / "node_modules").readlink().as_posix() == OURS
    assert link_packages(project)[1] == []
    assert unlink(project) == ["node_modules"]
    assert snapshot(project) == before


def test_a_folder_with_packages_is_never_replaced(project):
    write(project.root, package("node_modules/own"))
    (project.root / "elsewhere").mkdir()
    (project.root / "node_modules/linked").symlink_to("../elsewhere")
    before = snapshot(project)
    with pytest.raises(ConflictError, match="no link of ours"):
        link_folder(project)
    assert unlink(project) == []
    assert snapshot(project) == before


def test_nothing_installed_is_said(tmp_path):
    write(tmp_path, {"package.json": "{}"})
    for link in (link_packages, link_folder):
        with pytest.raises(NotFoundError, match=r"has no \.libreseed_modules"):
            link(Project(tmp_path))
    with pytest.raises(NotFoundError, match="no package"):
        initialise(Project(tmp_path / "none"), SHIMS)


def test_the_commands(project):
    def libreseed(*arguments):
        command = [sys.executable, "-m", "libreseed", *arguments]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    assert "libreseed as a dependency" in libreseed("init")
    assert "linked in node_modules: 3" in libreseed("link")
    assert "@s/b, @types/node, a" in libreseed("unlink")
    assert "is a link to" in libreseed("link", "--all")
    assert "node_modules: node_modules" in libreseed("unlink")
    assert "are as before" in libreseed("init", "--undo")
    assert entries(project) is None
    assert "files in out" in libreseed("shims", "out")
    assert (project.root / "out/register.cjs").is_file()
