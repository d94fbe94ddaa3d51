"""Links and workspaces, resolved by the real npm."""

import os

import orjson
import pytest

from libreseed.errors import InvalidInputError
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
    await run_install("more", flags=("--workspace=one",))
    manifest = orjson.loads((monorepo.root / "packages/one/package.json").read_bytes())
    assert "more" in manifest["dependencies"]
    assert version(monorepo, "more") == "1.0.0"
    registry.tarballs.clear()
    registry.add("lost")
    registry.tarballs.clear()
    with pytest.raises(Exception, match="lost"):
        await run_install("lost", flags=("--workspace=one",))
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
