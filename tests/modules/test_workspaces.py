"""Links and workspaces, resolved by the real npm."""

import json
import os
import subprocess

import orjson
import pytest

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.modules.linking import link_folder, link_packages, unlink
from libreseed.modules.lock.lockfile import read_project
from libreseed.modules.project import Project
from libreseed.modules.workspaces import Workspace, find_workspace, is_workspace, named_workspaces
from support.installs import version
from support.trees import write


@pytest.fixture
def monorepo(project, registry):
    """Two workspaces, of which one has its own version of `shared`, and a plain folder."""
    registry.add("shared", "1.0.0")
    registry.add("shared", "2.0.0")
    write(
        project.root,
        {
            "package.json": '{"workspaces": ["packages/*"], "dependencies": {"shared": "2", "plain": "file:./plain"}}',
            "packages/one/package.json": '{"name": "one", "version": "1.1.0", "dependencies": {"shared": "1"}}',
            "packages/two/package.json": '{"name": "@s/two", "version": "1.2.0", "bin": {"two": "cli.js"},'
            ' "dependencies": {"one": "1"}, "devDependencies": {"shared": "2"}}',
            "packages/two/cli.js": "#!/usr/bin/env node\n",
            "plain/package.json": '{"name": "plain", "version": "1.3.0"}',
        },
    )
    return project


async def test_workspaces_are_linked_and_have_trees_of_their_own(run_install, monorepo):
    await run_install()
    assert os.path.samefile(monorepo.tree / "one", monorepo.root / "packages/one")
    assert os.readlink(monorepo.tree / "@s/two") == "../../../packages/two"
    assert version(monorepo, "plain") == "1.3.0"
    assert version(monorepo, "node_modules/shared") == "2.0.0"
    inner = monorepo.root / "packages/one/.libreseed_modules"
    assert orjson.loads((inner / "node_modules/shared/package.json").read_bytes())["version"] == "1.0.0"
    assert (inner / "package.json").read_bytes() == b'{\n  "private": true\n}\n'
    assert not (inner / "node_modules/libreseed").exists()
    assert os.access(monorepo.tree / ".bin/two", os.X_OK)


async def test_the_lock_file_stays_as_it_is_when_nothing_changes(run_install, monorepo):
    await run_install()
    before = monorepo.lockfile.read_bytes()
    assert (await run_install()).fetched == 0
    assert (await run_install(clean=True)).fetched == 2
    assert monorepo.lockfile.read_bytes() == before


async def test_a_workspace_is_changed(run_install, monorepo, registry):
    registry.add("more")
    await run_install("more", workspaces=("one",))
    manifest = orjson.loads((monorepo.root / "packages/one/package.json").read_bytes())
    assert "more" in manifest["dependencies"]
    assert version(monorepo, "more") == "1.0.0"
    registry.tarballs.clear()
    registry.add("lost")
    registry.tarballs.clear()
    with pytest.raises(Exception, match="lost"):
        await run_install("lost", workspaces=("one",))
    assert orjson.loads((monorepo.root / "packages/one/package.json").read_bytes()) == manifest


async def test_ci_wants_every_workspace_in_step_with_the_lock_file(run_install, monorepo):
    await run_install()
    write(monorepo.root, {"packages/one/package.json": '{"name": "one", "dependencies": {"shared": "2"}}'})
    with pytest.raises(InvalidInputError, match=r"packages/one/package\.json and package-lock\.json do not agree"):
        await run_install(clean=True)


async def test_what_a_lock_file_puts_outside_is_refused_before_anything_is_touched(run_install, monorepo, tmp_path):
    await run_install()
    outside = tmp_path / "outside"
    outside.mkdir()
    (monorepo.root / "packages/one").rename(tmp_path / "one")
    (tmp_path / "one").rename(outside / "one")
    (monorepo.root / "packages/one").symlink_to(outside / "one")
    before = sorted(outside.rglob("*"))
    with pytest.raises(InvalidInputError, match="no folder of this project"):
        await run_install(clean=True)
    assert sorted(outside.rglob("*")) == before


FOLDERS = ("a", "packages/a", "packages/b", "packages/.c", "packages/deep/d", "apps/[x]", "node_modules/m", "tools/b")


@pytest.mark.parametrize(
    "patterns",
    [
        ["packages/*"],
        ["./packages/*/", "/a"],
        ["**"],
        ["packages/.*", "!**/a"],
        ["packages/**", "!packages/b"],
        ["!packages/b", "packages/*"],
        ["packages/**", "!packages/**", "packages/deep/d"],
        ["{packages,tools}/b", "a{,b}"],
        ["packages/?", "apps/*"],
        {"packages": ["*", "node_modules/*"]},
    ],
    ids=str,
)
def test_patterns_mean_what_they_mean_to_npm(tmp_path, patterns):
    manifest = {"name": "root", "workspaces": patterns}
    write(tmp_path, {"package.json": json.dumps(manifest)})
    write(tmp_path, {f"{folder}/package.json": json.dumps({"name": folder}) for folder in FOLDERS})
    command = ["npm", "pkg", "get", "name", "--workspaces", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = {folder for folder in FOLDERS if is_workspace(manifest, folder.split("/"))}
    assert found == set(json.loads(done.stdout).values())


def test_what_is_no_list_of_patterns_has_no_workspaces():
    for field in (None, "packages/*", {}, {"packages": "a"}, [1, None], 7):
        assert not is_workspace({"workspaces": field}, ["packages", "a"])
    assert not is_workspace({}, ["a"])


def test_a_workspace_is_found_from_inside(monorepo):
    deep = monorepo.root / "packages/one/src"
    deep.mkdir()
    one = Project(monorepo.root / "packages/one")
    assert find_workspace(deep) == Workspace(monorepo, one)
    assert find_workspace(deep).folder == "packages/one"
    assert find_workspace(monorepo.root) == Workspace(monorepo, monorepo)
    assert find_workspace(monorepo.root).folder == ""
    plain = Project(monorepo.root / "plain")
    assert find_workspace(plain.root) == Workspace(plain, plain)
    write(monorepo.root, {"package.json": "broken"})
    assert find_workspace(deep) == Workspace(one, one)


async def test_workspaces_are_chosen_by_name_or_folder(run_install, monorepo):
    await run_install()
    lockfile = read_project(monorepo)
    folders = [each.folder for each in named_workspaces(monorepo, lockfile, ())]
    assert folders == ["packages/two", "packages/one"]
    chosen = named_workspaces(monorepo, lockfile, ("@s/two", "./packages/one/"))
    assert [each.folder for each in chosen] == folders
    with pytest.raises(NotFoundError, match="no workspace 'plain'") as refused:
        named_workspaces(monorepo, lockfile, ("plain",))
    assert refused.value.hint == "The lock file has: @s/two, one"


async def test_links_for_tools_are_made_in_workspaces_too(run_install, monorepo):
    await run_install()
    one, two = monorepo.root / "packages/one", monorepo.root / "packages/two"
    loaded = {"shared": "shared@2.0.0", "one": "one"}
    write(one, {"index.js": "module.exports = 'one';"})

    def resolve(folder, name):
        command = ["node", "-p", f"require('{name}')"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else "missing"

    assert resolve(two, "one") == resolve(one, "shared") == "missing"
    for link in (link_packages, link_folder):
        link(monorepo)
        assert {name: resolve(two, name) for name in loaded} == loaded, link
        assert resolve(one, "shared") == "shared@1.0.0"
        assert resolve(monorepo.root, "@s/two/package.json") != "missing"
    assert unlink(monorepo) == ["node_modules", "packages/one/node_modules"]
    assert resolve(two, "one") == resolve(one, "shared") == "missing"
