"""A small npm registry of handmade packages, on a free port, and tarballs of any form."""

import base64
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from libreseed.modules.install import Summary, install
from libreseed.modules.lock.resolver import Change
from libreseed.modules.project import Project
from support.installs import SHIMS, Quiet, at

MakeTarball = Callable[..., bytes]


def make_tarball(*entries: tuple[str, bytes | None] | tarfile.TarInfo, mode: int = 0o644, zipped: bool = True) -> bytes:
    """Pack (path, content) pairs, a folder where the content is None; a TarInfo goes in as it is."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz" if zipped else "w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.mode = mode
            if entry[1] is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return archive.getvalue()


class Registry:
    """Answers packuments and tarballs, and writes down what was asked."""

    def __init__(self) -> None:
        self.respond: Callable[[web.Request], Awaitable[web.Response]] = self.answer
        self.packuments: dict[str, dict[str, Any]] = {}
        self.tarballs: dict[str, bytes] = {}
        self.requests: list[web.Request] = []
        self.url = ""

    def add(self, name: str, version: str = "1.0.0", files: dict[str, str] | None = None, **manifest: Any) -> None:
        manifest = {"name": name, "version": version, **manifest}
        files = {"index.js": f"module.exports = {orjson.dumps(f'{name}@{version}').decode()};\n"} | (files or {})
        contents = {"package.json": orjson.dumps(manifest)} | {path: text.encode() for path, text in files.items()}
        tarball = make_tarball(*((f"package/{path}", content) for path, content in contents.items()))
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.tarballs[path] = tarball
        digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        packument = self.packuments.setdefault(name, {"name": name, "dist-tags": {}, "versions": {}})
        packument["dist-tags"]["latest"] = version
        packument["versions"][version] = manifest | {
            "dist": {"tarball": self.url + path, "integrity": f"sha512-{digest}"},
            **({"hasInstallScript": True} if "install" in manifest.get("scripts", {}) else {}),
        }

    def tarball_requests(self) -> list[web.Request]:
        return [request for request in self.requests if request.path.endswith(".tgz")]

    async def handle(self, request: web.Request) -> web.Response:
        return await self.respond(request)

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if (tarball := self.tarballs.get(request.path)) is not None:
            return web.Response(body=tarball, headers={"X-Libreseed-Source": "swarm"})
        if (packument := self.packuments.get(request.path[1:])) is not None:
            return web.json_response(packument)
        return web.json_response({"error": "not found"}, status=404)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    served = Registry()
    app = web.Application()
    app.router.add_get("/{path:.*}", served.handle)
    app.router.add_post("/{path:.*}", served.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture
def tarball() -> MakeTarball:
    return make_tarball


@pytest.fixture(autouse=True)
def _own_npm_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """npm must not answer from what another test's registry said."""
    cache = tmp_path_factory.mktemp("npm-cache")
    monkeypatch.setenv("npm_config_cache", str(cache))
    monkeypatch.setenv("npm_config_omit_lockfile_registry_resolved", "false")


@pytest.fixture(scope="session")
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(_cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests find out is not for the user's commands."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(_cache_folder))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "app").mkdir()
    return Project(tmp_path / "app")


RunInstall = Callable[..., Awaitable[Summary]]


@pytest.fixture
def run_install(project: Project, registry: Registry) -> RunInstall:
    """Install from the small registry; the arguments are what npm's command is followed by."""

    async def run(
        *specs: str,
        command: str = "install",
        flags: tuple[str, ...] = (),
        workspaces: tuple[str, ...] = (),
        **options: Any,
    ) -> Summary:
        change = Change(command, specs, flags, workspaces)
        return await install(project, at(registry.url), change, shims=SHIMS, progress=Quiet(), **options)

    return run
