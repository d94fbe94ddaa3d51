"""What an install does with a node's answer; the node's side is in tests/registry."""

import asyncio
import hashlib
import shutil

import orjson
import pytest
from aiohttp import web

from libreseed.errors import IntegrityError, NotFoundError, UnavailableError
from libreseed.modules.fetch.prefetch import PATH
from libreseed.modules.unpack.workers import Workers
from support.installs import version


@pytest.fixture
async def locked(run_install, registry, project, tmp_path):
    """A lock file with one package, and what the node answers: a list of lines."""
    registry.add("a")
    await run_install("a")
    registry.requests.clear()
    answer = []
    real = registry.answer

    async def respond(request):
        if request.path != PATH:
            return await real(request)
        registry.requests.append(request)
        return web.Response(body=b"".join(orjson.dumps(line) + b"\n" for line in answer))

    registry.respond = respond
    return answer


def blob(folder, data, content=None):
    name = hashlib.sha512(data).hexdigest()
    (folder / name[:2]).mkdir(exist_ok=True)
    (folder / name[:2] / name).write_bytes(data if content is None else content)


async def test_what_is_in_the_store_is_read_there(run_install, registry, project, locked, tmp_path):
    blob(tmp_path, registry.tarballs["/a/-/a-1.0.0.tgz"])
    locked += [{"store": str(tmp_path)}, {"number": 0, "source": "swarm"}, {}]
    assert (await run_install(clean=True)).sources == {"swarm": 1}
    assert version(project, "a") == "1.0.0"
    assert registry.tarball_requests() == []


async def test_what_the_store_gives_is_checked(run_install, registry, project, locked, tmp_path):
    registry.add("other")
    blob(tmp_path, registry.tarballs["/a/-/a-1.0.0.tgz"], registry.tarballs["/other/-/other-1.0.0.tgz"])
    locked += [{"store": str(tmp_path)}, {"number": 0, "source": "store"}, {}]
    with pytest.raises(IntegrityError, match=r"a@1\.0\.0 from store"):
        await run_install(clean=True)


@pytest.mark.parametrize("store", [[], [{"store": "/nowhere"}]])
async def test_what_cannot_be_read_here_is_downloaded(run_install, registry, project, locked, store):
    locked += [*store, {"number": 0, "source": "swarm"}, {}]
    await run_install(clean=True)
    assert len(registry.tarball_requests()) == 1


async def test_what_will_not_come_is_an_error(run_install, registry, project, locked):
    locked += [{"number": 0, "error": "Nobody offers it.", "status": 404}, {}]
    with pytest.raises(NotFoundError, match=r"a@1\.0\.0 is not to be had: Nobody offers it"):
        await run_install(clean=True)
    locked[0]["status"] = 503
    with pytest.raises(UnavailableError, match="Nobody offers it"):
        await run_install(clean=True)


@pytest.fixture
async def linked_first(run_install, registry, project, locked, tmp_path, monkeypatch):
    """A folder of shared files that has the package, and a node that answers when that is linked."""
    shared = tmp_path / "shared"
    locked += [{"number": 0, "source": "swarm"}, {}]
    await run_install(clean=True, shared=shared)
    registry.requests.clear()
    locked.clear()
    linked = asyncio.Event()
    link, respond = Workers.link, registry.respond

    async def tell(workers, links):
        outcomes = await link(workers, links)
        assert all(outcomes)
        linked.set()
        return outcomes

    async def answer(request):
        await linked.wait()
        return await respond(request)

    monkeypatch.setattr(Workers, "link", tell)
    registry.respond = answer
    return shared


async def test_what_is_unpacked_already_is_not_downloaded(run_install, registry, project, locked, linked_first):
    locked += [{"number": 0, "source": "swarm"}, {}]
    shutil.rmtree(project.tree)
    assert (await run_install(clean=True, shared=linked_first)).sources == {"swarm": 1}
    assert version(project, "a") == "1.0.0"
    assert (project.tree / "a/index.js").stat().st_nlink == 2
    assert registry.tarball_requests() == []


async def test_nothing_stays_of_what_was_linked_and_is_refused(run_install, registry, project, locked, linked_first):
    locked += [{"number": 0, "error": "Too young.", "status": 403}, {}]
    shutil.rmtree(project.folder)
    for _ in range(2):  # the second does not go on with what the first was refused
        with pytest.raises(NotFoundError, match="Too young"):
            await run_install(clean=True, shared=linked_first)
        assert not [*project.folder.rglob("index.js")]
    assert len(registry.requests) == 2


async def test_an_optional_package_that_was_linked_and_is_refused_is_done_without(
    run_install, project, locked, linked_first
):
    lock = orjson.loads(project.lockfile.read_bytes())
    lock["packages"][""] = {"optionalDependencies": lock["packages"][""]["dependencies"]}
    lock["packages"]["node_modules/a"]["optional"] = True
    project.lockfile.write_bytes(orjson.dumps(lock))
    project.manifest.write_bytes(orjson.dumps(lock["packages"][""]))
    locked += [{"number": 0, "error": "Too young.", "status": 403}, {}]
    assert (await run_install(clean=True, shared=linked_first)).absent == ["node_modules/a"]
    assert not [*project.folder.rglob("index.js")]


async def test_an_answer_that_breaks_off_is_an_error(run_install, registry, project, locked):
    locked += [{"number": 0, "source": "swarm"}]
    with pytest.raises(UnavailableError, match="broke off"):
        await run_install(clean=True)
