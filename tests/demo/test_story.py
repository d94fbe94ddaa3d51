"""The whole demo with real nodes and real npm; the upstream is a small one of ours, with an Express of a few lines."""

import gzip
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from libreseed.demo import nodes
from libreseed.demo.story import OWN, WELL_KNOWN, check_sources, run_demo
from libreseed.demo.traffic import Traffic, Transfer
from libreseed.errors import IntegrityError, UnavailableError
from libreseed.modules.lock.entry import LockedPackage
from support.packages import manifest_of

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]

EXPRESS = """
const { createServer } = require('http')
require('leaf')
module.exports = () => {
  let handle
  return {
    get: (path, handler) => { handle = handler },
    listen: (...listening) => createServer((request, response) => {
      response.json = (value) => response.end(JSON.stringify(value))
      const query = Object.fromEntries(new URL(request.url, 'http://x').searchParams)
      handle({ params: { name: 'world' }, query }, response)
    }).listen(...listening)
  }
}
"""
OFFLINE_GREETINGS = ["Hallo, world!", "Hello, world!", "Hola, world!", "Bonjour, world!"]


class Recorder:
    """A display that remembers, and may do something when a step begins."""

    def __init__(self, **at: object) -> None:
        self.steps: list[str] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._at = at

    def step(self, title, *, tarballs=False):
        self.steps.append(title)
        for word, action in self._at.items():
            if title.startswith(word):
                action()

    def looked_up(self, name):
        pass

    def transfer(self, transfer):
        pass

    def note(self, text):
        self.notes.append(text)

    def problem(self, text):
        self.problems.append(text)


def pack(**files: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo("package/" + path.replace("__", "."))
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    return gzip.compress(archive.getvalue(), mtime=0)


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    contents: dict[str, bytes] = {}

    async def answer(request: web.Request) -> web.Response:
        body = contents.get(request.path)
        return web.Response(body=body) if body is not None else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    for name, code, dependencies in ((WELL_KNOWN, EXPRESS, {"leaf": "^1.0.0"}), ("leaf", "", {})):
        manifest = {"name": name, "version": "1.0.0", "dependencies": dependencies}
        tarball = pack(package__json=orjson.dumps(manifest).decode(), index__js=code)
        version = manifest | manifest_of(name, "1.0.0", tarball, url)
        contents[f"/{name}/-/{name}-1.0.0.tgz"] = tarball
        contents[f"/{name}"] = orjson.dumps(
            {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        )
    yield url
    await runner.cleanup()


async def test_everything_comes_from_the_swarm_and_then_from_the_store(tmp_path, upstream):
    recorder = Recorder()
    outcome = await run_demo(tmp_path, recorder, upstream=upstream)
    names = {OWN, WELL_KNOWN, "leaf"}
    assert outcome.problem == ""
    assert {(tarball.name, tarball.source) for tarball in outcome.installed} == {(name, "swarm") for name in names}
    assert {(tarball.name, tarball.source) for tarball in outcome.reinstalled} == {(name, "store") for name in names}
    assert {tarball.source for tarball in outcome.mirrored} == {"upstream"}
    assert (outcome.names, outcome.verified, outcome.upstream_requests) == (3, 3, 0)
    assert outcome.output == 'GET /hello/world?language=fr -> 200 {"greeting":"Bonjour, world!"}'
    assert any("it refuses" in note and "pinned it to nobody" in note for note in recorder.notes)
    assert any("Ed25519 signature" in note for note in recorder.notes)
    assert (outcome.shared.hosts, outcome.shared.tarballs) == (4, 3)
    assert outcome.shared.needed == outcome.bytes
    assert outcome.shared.copies > 0
    assert recorder.problems == []
    assert len(recorder.steps) == 9


@pytest.mark.parametrize("upstream_url", ["none", "http://127.0.0.1:9/"])
async def test_without_an_upstream_the_published_package_is_still_shown(tmp_path, upstream_url):
    recorder = Recorder()
    outcome = await run_demo(tmp_path, recorder, upstream=upstream_url)
    assert outcome.problem
    assert recorder.problems == [f"express could not be had from the upstream: {outcome.problem}"]
    assert [(tarball.name, tarball.source) for tarball in outcome.installed] == [(OWN, "swarm")]
    assert outcome.output.splitlines()[:4] == OFFLINE_GREETINGS


@pytest.mark.parametrize(
    ("metadata", "tarballs", "told"),
    [
        ({"a": "swarm"}, [], "1 did not: a@1.0.0 from nowhere"),
        ({"a": "swarm"}, [("a", "upstream")], "1 did not: a@1.0.0 from upstream"),
        ({"a": "stale"}, [("a", "swarm")], "1 did not: a from stale"),
        ({"a": "swarm"}, [("a", "swarm"), ("b", "store")], "1 did not: b@1.0.0 from store"),
    ],
)
def test_what_came_from_elsewhere_or_not_at_all_is_told(metadata, tarballs, told):
    traffic = Traffic(metadata, [Transfer(name, "1.0.0", source, 1, 1.0) for name, source in tarballs])
    with pytest.raises(UnavailableError, match=told):
        check_sources(traffic, [LockedPackage("node_modules/a", "a", "1.0.0", b"", "a-1.0.0.tgz")], "swarm")


async def test_a_changed_byte_on_the_newcomer_is_noticed(tmp_path, monkeypatch):
    """The node would notice it on its disk; so it changes on the way from there."""
    tarball = nodes.tarball

    async def changed(*arguments):
        return (await tarball(*arguments))[:-1] + b"!"

    def change() -> None:
        monkeypatch.setattr(nodes, "tarball", changed)

    with pytest.raises(IntegrityError, match=f"{OWN}@1.0.0 has sha512-"):
        await run_demo(tmp_path, Recorder(Verify=change), upstream="none")


async def test_it_does_not_claim_that_the_store_was_enough_when_it_was_not(tmp_path):
    def empty() -> None:
        for file in tarballs(tmp_path, "newcomer"):
            file.unlink()

    with pytest.raises(UnavailableError, match="npm ci failed"):
        await run_demo(tmp_path, Recorder(**{"Publisher and mirror off": empty}), upstream="none")


def tarballs(folder: Path, node: str) -> list[Path]:
    """Return the published package's tarball in a node's store."""
    swarm = folder / "nodes" / node / ".libreseed_modules" / ".swarm"
    return [file for file in swarm.rglob("*") if file.is_file() and file.read_bytes()[:2] == b"\x1f\x8b"]
