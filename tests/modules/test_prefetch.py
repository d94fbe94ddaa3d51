"""What an install does with a node's answer; the node's side is in tests/registry."""

import hashlib

import orjson
import pytest
from aiohttp import web

from libreseed.errors import IntegrityError, NotFoundError, UnavailableError
from libreseed.modules.prefetch import PATH
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


async def test_an_answer_that_breaks_off_is_an_error(run_install, registry, project, locked):
    locked += [{"number": 0, "source": "swarm"}]
    with pytest.raises(UnavailableError, match="broke off"):
        await run_install(clean=True)
