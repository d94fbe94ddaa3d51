"""Packages that come from no registry: git, tarballs and folders, as npm's lock file carries them."""

import asyncio
import os
import shutil
import subprocess

import orjson
import pytest

from libreseed.errors import IntegrityError, UnavailableError
from support.installs import version
from support.trees import write

pytestmark = pytest.mark.e2e


@pytest.fixture
def repository(tmp_path):
    """A git repository with a package whose `files` leave something out."""
    folder = tmp_path / "repository"
    write(
        folder,
        {
            "package.json": '{"name": "from-git", "version": "3.0.0", "files": ["kept.js"],'
            ' "scripts": {"prepare": "touch prepared"}}',
            "kept.js": "",
            "left.js": "",
        },
    )
    identity = ["-c", "user.name=a", "-c", "user.email=a@host.test", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "First"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


async def test_git_a_tarball_and_a_folder(run_install, project, registry, repository, tarball):
    write(project.root, {"folder/package.json": '{"name": "folder", "version": "5.0.0"}'})
    packed = tarball(("package/package.json", b'{"name": "packed", "version": "4.0.0"}'))
    (project.root / "packed.tgz").write_bytes(packed)
    registry.add("b")
    await run_install(f"git+file://{repository}", "./packed.tgz", "./folder", "a@npm:b@1")
    assert version(project, "from-git") == "3.0.0"
    assert sorted(os.listdir(project.tree / "from-git")) == ["kept.js", "package.json"]
    assert version(project, "packed") == "4.0.0"
    assert version(project, "folder") == "5.0.0"
    assert orjson.loads((project.tree / "a/package.json").read_bytes())["name"] == "b"
    before = project.lockfile.read_bytes()
    assert (await run_install()).fetched == 0
    assert (await run_install(clean=True)).sources.keys() >= {"git", "file"}
    assert project.lockfile.read_bytes() == before

    plain = project.root.with_name("plain")
    shutil.copytree(project.root, plain, ignore=shutil.ignore_patterns(".libreseed_modules", "node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--registry", registry.url]
    await asyncio.to_thread(subprocess.run, command, cwd=plain, check=True, capture_output=True)
    for name in ("from-git", "packed", "folder", "a"):
        assert sorted(os.listdir(project.tree / name)) == sorted(os.listdir(plain / "node_modules" / name))


async def test_a_tarball_that_was_changed_is_refused(run_install, project, tarball):
    project.manifest.write_text("{}")
    (project.root / "packed.tgz").write_bytes(tarball(("p/package.json", b'{"name": "packed", "version": "4.0.0"}')))
    await run_install("./packed.tgz")
    (project.root / "packed.tgz").write_bytes(tarball(("p/package.json", b'{"name": "packed", "version": "4.0.1"}')))
    with pytest.raises(IntegrityError, match="packed"):
        await run_install(clean=True)
    assert version(project, "packed") == "4.0.0"


async def test_a_repository_that_is_gone_is_one_clear_error(run_install, project, repository):
    await run_install(f"git+file://{repository}")
    shutil.rmtree(repository)
    with pytest.raises(UnavailableError, match=r"from-git@3\.0\.0 could not be fetched from git"):
        await run_install(clean=True)
