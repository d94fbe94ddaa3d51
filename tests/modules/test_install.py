"""Whole installs, resolved by the real npm against a small real registry."""

import asyncio
import fcntl
import os
import shutil
import subprocess

import orjson
import pytest

from libreseed.errors import ConflictError, IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from libreseed.modules import install as install_module
from libreseed.modules.install import install
from libreseed.modules.lock.resolver import Change
from support.installs import SHIMS, Quiet, at, version


async def test_conflicts_scopes_and_bins(run_install, registry, project):
    registry.add("shared", "1.0.0")
    registry.add("shared", "2.0.0")
    command = {"bin": {"old": "cli.js"}, "files": {"cli.js": "#!/usr/bin/env node\n"}}
    registry.add("@s/old", dependencies={"shared": "^1.0.0"}, **command)
    summary = await run_install("shared@2", "@s/old")
    assert (summary.packages, summary.fetched, summary.sources) == (3, 3, {"swarm": 3})
    assert version(project, "node_modules/shared") == "2.0.0"
    assert version(project, "node_modules/@s/old/node_modules/shared") == "1.0.0"
    assert os.access(project.tree / ".bin" / "old", os.X_OK)
    assert version(project, "shared") == "2.0.0"
    assert version(project, "@s/old") == "1.0.0"
    assert (project.folder / "package.json").read_bytes() == b'{\n  "private": true\n}\n'
    assert (project.root / "node_modules/libreseed/register.cjs").is_file()
    assert not (project.folder / ".staging").exists()


async def test_each_request_carries_the_integrity_of_the_lock_file(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    (request,) = registry.tarball_requests()
    lock = orjson.loads(project.lockfile.read_bytes())
    assert request.headers["pacote-integrity"] == lock["packages"]["node_modules/a"]["integrity"]


async def test_the_lock_file_does_not_name_this_machines_registry(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    assert registry.url not in project.lockfile.read_text()
    assert "/a/-/a-1.0.0.tgz" in project.lockfile.read_text()


async def test_a_second_install_fetches_nothing_and_keeps_what_users_changed(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    (project.tree / "a/index.js").write_text("patched")
    summary = await run_install()
    assert (summary.packages, summary.fetched) == (1, 0)
    registry.add("b")
    summary = await run_install("b")
    assert (summary.packages, summary.fetched) == (2, 1)
    assert (project.tree / "a/index.js").read_text() == "patched"


async def test_what_was_deleted_comes_back(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    shutil.rmtree(project.tree / "a")
    shutil.rmtree(project.tree / "libreseed")
    (project.folder / "a").unlink()
    assert (await run_install()).fetched == 1
    assert version(project, "a") == "1.0.0"
    assert (project.tree / "libreseed/register.cjs").is_file()


async def test_a_package_that_is_gone_from_the_lock_file_goes(run_install, registry, project):
    registry.add("a")
    registry.add("@s/b")
    await run_install("a", "@s/b")
    project.manifest.write_bytes(b'{"dependencies": {"a": "1"}}')
    await run_install()
    assert not (project.tree / "@s").exists()
    assert not (project.folder / "@s").exists()
    assert version(project, "a") == "1.0.0"


async def test_the_swarms_folder_is_left_alone(run_install, registry, project):
    registry.add("a")
    (project.folder / ".swarm").mkdir(parents=True)
    (project.folder / ".swarm/piece").write_text("x")
    await run_install("a")
    assert (project.folder / ".swarm/piece").read_text() == "x"


async def test_bundled_packages_come_with_their_parent_and_are_there_after_a_reuse(run_install, registry, project):
    bundled = {"node_modules/inner/package.json": '{"name": "inner", "version": "1.0.0"}'}
    registry.add("inner")
    registry.add("outer", files=bundled, dependencies={"inner": "1"}, bundleDependencies=["inner"])
    registry.add("later")
    await run_install("outer")
    await run_install("later")
    assert version(project, "node_modules/outer/node_modules/inner") == "1.0.0"
    assert all(not request.path.startswith("/inner/-/") for request in registry.tarball_requests())


async def test_a_new_parent_brings_its_own_bundle(run_install, registry, project):
    registry.add("inner")
    for number in ("1", "2"):
        bundled = {
            "node_modules/inner/package.json": '{"name": "inner", "version": "1.0.0"}',
            "node_modules/inner/of": number,
        }
        bundle = {"dependencies": {"inner": "1"}, "bundleDependencies": ["inner"]}
        registry.add("outer", f"{number}.0.0", files=bundled, **bundle)
    for number in ("1", "2"):
        await run_install(f"outer@{number}")
        assert (project.tree / "outer/node_modules/inner/of").read_text() == number


async def test_a_package_named_like_a_file_of_ours(run_install, registry, project):
    registry.add("package.json")
    await run_install("package.json")
    assert (project.folder / "package.json").is_file()
    assert version(project, "node_modules/package.json") == "1.0.0"


async def test_install_scripts_are_not_run_but_told(run_install, registry, project):
    registry.add("native", scripts={"install": "touch ran"})
    summary = await run_install("native")
    assert summary.skipped_scripts == ["native@1.0.0"]
    assert not (project.tree / "native/ran").exists()


async def test_optional_packages_for_other_systems_are_left_out(run_install, registry, project):
    registry.add("other-system", os=["no-such-system"])
    registry.add("a", optionalDependencies={"other-system": "1"})
    summary = await run_install("a")
    assert (summary.packages, summary.left_out) == (1, 1)
    assert not (project.tree / "other-system").exists()


async def test_packages_are_unpacked_side_by_side(run_install, registry, project):
    registry.add("a")
    registry.add("b")
    assert (await run_install("a", "b")).fetched == 2
    assert version(project, "b") == "1.0.0"
    registry.add("c")
    registry.add("d")
    registry.tarballs["/c/-/c-1.0.0.tgz"] = registry.tarballs["/a/-/a-1.0.0.tgz"]
    with pytest.raises(IntegrityError, match=r"c@1\.0\.0 from swarm"):
        await run_install("c", "d")


async def test_wrong_bytes_change_nothing(run_install, registry, project):
    registry.add("a")
    registry.add("b")
    await run_install("a")
    before = project.manifest.read_bytes(), project.lockfile.read_bytes()
    registry.tarballs["/b/-/b-1.0.0.tgz"] = registry.tarballs["/a/-/a-1.0.0.tgz"]
    with pytest.raises(IntegrityError, match=r"b@1\.0\.0 from swarm"):
        await run_install("b")
    assert (project.manifest.read_bytes(), project.lockfile.read_bytes()) == before
    assert not (project.tree / "b").exists()
    assert version(project, "a") == "1.0.0"


async def test_a_cancelled_install_leaves_the_tree_before(run_install, registry, project):
    registry.add("a")
    registry.add("b")
    await run_install("a")
    asked, done = asyncio.Event(), asyncio.Event()

    async def never_the_tarball(request):
        if request.path.endswith(".tgz"):
            asked.set()
            await done.wait()
        return await registry.answer(request)

    registry.respond = never_the_tarball
    task = asyncio.create_task(run_install("b"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert version(project, "a") == "1.0.0"
    assert not (project.tree / "b").exists()
    assert "b" not in orjson.loads(project.manifest.read_bytes())["dependencies"]
    done.set()
    registry.respond = registry.answer
    assert (await run_install("b")).fetched == 1


async def test_an_install_goes_on_where_one_was_interrupted(run_install, registry, project):
    registry.add("a")
    registry.add("b")
    await run_install("a", "b")
    lost = registry.tarballs.pop("/b/-/b-1.0.0.tgz")
    shutil.rmtree(project.folder)
    with pytest.raises(NotFoundError):
        await run_install()
    assert not project.tree.exists()
    registry.tarballs["/b/-/b-1.0.0.tgz"] = lost
    registry.requests.clear()
    summary = await run_install()
    assert summary.fetched + summary.continued == 2
    assert len(registry.tarball_requests()) == summary.fetched
    assert not (project.folder / ".staging").exists()


async def test_ci_takes_the_lock_file_as_it_is_and_every_package_anew(run_install, registry, project):
    registry.add("a")
    with pytest.raises(NotFoundError, match=r"no package-lock\.json"):
        await run_install(clean=True)
    await run_install("a")
    (project.tree / "a/index.js").write_text("patched")
    registry.packuments.clear()
    assert (await run_install(clean=True)).fetched == 1
    assert (project.tree / "a/index.js").read_text() != "patched"
    project.manifest.write_bytes(b'{"dependencies": {"a": "1", "b": "1"}}')
    with pytest.raises(InvalidInputError, match="do not agree about a, b"):
        await run_install(clean=True)
    lock = orjson.loads(project.lockfile.read_bytes())
    project.manifest.write_bytes(orjson.dumps({"dependencies": {"a": "^1.0.0"}}))
    del lock["packages"]["node_modules/a"]
    project.lockfile.write_bytes(orjson.dumps(lock))
    with pytest.raises(InvalidInputError, match=r"lacks a@\^1\.0\.0"):
        await run_install(clean=True)


async def test_npm_is_not_asked_when_nothing_changed(run_install, registry, project, monkeypatch):
    registry.add("a")
    await run_install("a")
    before = project.lockfile.read_bytes()
    monkeypatch.setattr(install_module, "resolve", None)
    await run_install()
    assert project.lockfile.read_bytes() == before


async def test_what_is_omitted_is_left_out_and_comes_back(run_install, registry, project):
    for name in ("a", "dev", "maybe"):
        registry.add(name)
    await run_install("a")
    await run_install("dev", flags=("--save-dev",))
    await run_install("maybe", flags=("--save-optional",))
    assert (await run_install(omit={"dev", "optional"})).packages == 1
    assert not (project.tree / "dev").exists()
    assert not (project.tree / "maybe").exists()
    assert (await run_install()).packages == 3


async def test_an_optional_package_that_is_not_to_be_had_is_done_without(run_install, registry, project):
    registry.add("a")
    registry.add("maybe")
    await run_install("a")
    del registry.tarballs["/maybe/-/maybe-1.0.0.tgz"]
    summary = await run_install("maybe", flags=("--save-optional",))
    assert (summary.packages, summary.absent) == (1, ["node_modules/maybe"])
    assert not (project.tree / "maybe").exists()


async def test_removing_and_updating(run_install, registry, project):
    registry.add("a", "1.0.0")
    registry.add("b")
    await run_install("a@^1", "b")
    registry.add("a", "1.1.0")
    await run_install(command="update")
    assert version(project, "a") == "1.1.0"
    await run_install("b", command="uninstall")
    assert not (project.tree / "b").exists()
    assert "b" not in orjson.loads(project.manifest.read_bytes())["dependencies"]


async def test_overrides_and_peers_are_npms(run_install, registry, project):
    registry.add("deep", "1.0.0")
    registry.add("deep", "2.0.0")
    registry.add("peer")
    registry.add("a", dependencies={"deep": "1"}, peerDependencies={"peer": "1"})
    project.manifest.write_bytes(b'{"overrides": {"deep": "2.0.0"}}')
    await run_install("a")
    assert version(project, "deep") == "2.0.0"
    assert version(project, "peer") == "1.0.0"


async def test_a_package_behind_a_link_is_refused(run_install, registry, project, tmp_path):
    registry.add("b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/package.json").write_text('{"name": "outside", "version": "1.0.0"}')
    await run_install("../outside", "b")
    lock = orjson.loads(project.lockfile.read_bytes())
    lock["packages"]["node_modules/outside/node_modules/b"] = lock["packages"]["node_modules/b"]
    project.lockfile.write_bytes(orjson.dumps(lock))
    with pytest.raises(InvalidInputError, match="lies behind a link"):
        await run_install(clean=True)
    assert os.listdir(tmp_path / "outside") == ["package.json"]


@pytest.mark.parametrize("bin_", [{"x": "../../../../evil"}, {"../../evil": "index.js"}, {"x": "/bin/sh"}])
async def test_a_command_that_leads_outside_is_refused(run_install, registry, project, tmp_path, bin_):
    registry.add("a")
    await run_install("a")
    lock = orjson.loads(project.lockfile.read_bytes())
    lock["packages"]["node_modules/a"]["bin"] = bin_
    project.lockfile.write_bytes(orjson.dumps(lock))
    before = sorted(project.folder.rglob("*")), sorted(tmp_path.iterdir())
    with pytest.raises(InvalidInputError, match="command"):
        await run_install(clean=True)
    assert (sorted(project.folder.rglob("*")), sorted(tmp_path.iterdir())) == before


async def test_leftovers_of_a_killed_install_are_cleared(run_install, registry, project):
    registry.add("a")
    (project.folder / ".staging/node_modules/half").mkdir(parents=True)
    await run_install("a")
    assert not (project.folder / ".staging").exists()
    assert not (project.tree / "half").exists()


async def test_two_installs_at_once_are_refused(run_install, registry, project):
    registry.add("a")
    project.folder.mkdir()
    with (project.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="Another install"):
            await run_install("a")
    assert (await run_install("a")).packages == 1


async def test_npms_own_record_in_node_modules_is_not_touched(run_install, registry, project):
    registry.add("a")
    (project.root / "node_modules").mkdir()
    await run_install("a")
    assert [path.name for path in (project.root / "node_modules").iterdir()] == ["libreseed"]


async def test_our_link_never_gets_into_a_new_lock_file(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    project.lockfile.unlink()
    await run_install()
    assert list(orjson.loads(project.lockfile.read_bytes())["packages"]) == ["", "node_modules/a"]


async def test_clear_errors(run_install, registry, project):
    with pytest.raises(NotFoundError, match=r"no package\.json"):
        await run_install()
    with pytest.raises(NotFoundError, match="could not resolve"):
        await run_install("missing")
    with pytest.raises(InvalidInputError, match="does not ask for a package"):
        await run_install("--global")
    registry.add("lost")
    del registry.tarballs["/lost/-/lost-1.0.0.tgz"]
    with pytest.raises(NotFoundError, match=r"lost@1\.0\.0 is not to be had"):
        await run_install("lost")
    with pytest.raises(UnavailableError, match="could not resolve"):
        await install(project, at("http://127.0.0.1:1"), Change("install", ["a"]), shims=SHIMS, progress=Quiet())


async def test_npm_takes_the_project_back(run_install, registry, project):
    registry.add("a")
    await run_install("a")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--registry", registry.url]
    await asyncio.to_thread(subprocess.run, command, cwd=project.root, check=True, capture_output=True)
    assert (project.root / "node_modules/a/index.js").read_bytes() == (project.tree / "a/index.js").read_bytes()
