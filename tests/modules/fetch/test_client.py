import pytest
from aiohttp import web

from libreseed.errors import ForbiddenError, IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from libreseed.modules.fetch import client as download_module
from libreseed.modules.fetch.client import RegistryClient
from libreseed.modules.lock.entry import LockedPackage

PACKAGE = LockedPackage("node_modules/@s/a", "@s/a", "1.0.0", bytes(64), "a-1.0.0.tgz")


@pytest.fixture
def answers(registry, monkeypatch):
    """Statuses that the registry gives before it gives the tarball."""
    monkeypatch.setattr(download_module, "_BACKOFF", 0)
    statuses = []
    real = registry.answer

    async def answer(request):
        if statuses:
            registry.requests.append(request)
            return web.Response(status=statuses.pop(0), body=b'{"error": "It is blocked."}')
        return await real(request)

    registry.respond = answer
    registry.tarballs["/@s/a/-/a-1.0.0.tgz"] = b"bytes"
    return statuses


async def test_the_bytes_and_where_they_came_from(registry, answers, tmp_path):
    async with RegistryClient(registry.url + "/") as client:
        assert await client.download(PACKAGE, tmp_path / "t") == "swarm"
    assert (tmp_path / "t").read_bytes() == b"bytes"


async def test_a_fault_is_asked_again_and_an_answer_is_not(registry, answers, tmp_path):
    async with RegistryClient(registry.url) as client:
        answers[:] = [503, 503]
        assert await client.download(PACKAGE, tmp_path / "t") == "swarm"
        answers[:] = [503, 503, 503]
        with pytest.raises(UnavailableError, match="answered 503"):
            await client.download(PACKAGE, tmp_path / "t")
        registry.requests.clear()
        answers[:] = [404]
        with pytest.raises(NotFoundError, match="answered 404"):
            await client.download(PACKAGE, tmp_path / "t")
        assert len(registry.requests) == 1


async def test_a_refusal_says_why(registry, answers, tmp_path):
    async with RegistryClient(registry.url) as client:
        answers[:] = [403]
        with pytest.raises(ForbiddenError, match=r"refuses @s/a@1\.0\.0: It is blocked\."):
            await client.download(PACKAGE, tmp_path / "t")
    assert len(registry.requests) == 1


async def test_a_tarball_without_end_is_refused(registry, answers, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "MAX_TARBALL", 4)
    async with RegistryClient(registry.url) as client:
        with pytest.raises(IntegrityError, match="over 1 GiB"):
            await client.download(PACKAGE, tmp_path / "t")


async def test_a_registry_is_there_when_it_answers_at_all(registry, answers):
    async with RegistryClient(registry.url) as client:
        await client.status()
        answers[:] = [500]
        with pytest.raises(UnavailableError, match="No LibreSeed registry answers"):
            await client.status()


async def test_a_ping_is_answered_or_not(registry, answers):
    async with RegistryClient(registry.url) as client:
        answers[:] = [200]
        await client.ping()
        assert registry.requests[-1].path == "/-/ping"
        answers[:] = [503]
        with pytest.raises(UnavailableError, match="No LibreSeed registry answers"):
            await client.ping()


async def test_a_login_without_a_token_is_told(registry):
    async with RegistryClient(registry.url) as client:
        with pytest.raises(UnavailableError, match="Nobody could be logged in"):
            await client.log_in("ann", "correct horse")
    async with RegistryClient("http://127.0.0.1:9") as client:
        with pytest.raises(UnavailableError, match="Nobody could be logged in"):
            await client.log_in("ann", "correct horse")


def test_a_registry_is_a_url():
    with pytest.raises(InvalidInputError):
        RegistryClient("localhost:4880")
