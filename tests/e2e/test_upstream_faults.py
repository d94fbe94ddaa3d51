"""What real npm gets from a node whose upstream fails: what is stored as ever, else a 503 that says why."""

import asyncio
import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from support.clients import Npm, write_project
from support.nodes import NodeProcess, Nodes
from support.packages import make_tarball
from support.running import asked, offer
from upstream.fake_registry import Action, Drop, FakeRegistry, Hang, Reply

pytestmark = pytest.mark.e2e

TIMEOUT = 8.0
LATE = 120.0
"""Seconds until the upstream answers: more than a warm install takes on the busiest machine."""
OPTIONS = ("--upstream-timeout", str(TIMEOUT), "--max-age", "0")


class Site:
    """A node, its upstream and npm."""

    def __init__(self, upstream: FakeRegistry, nodes: Nodes, folder: Path) -> None:
        self.upstream = upstream
        self.node: NodeProcess = nodes.start("node", "--upstream", upstream.url, *OPTIONS)
        self._npm = Npm(folder / "npm", self.node)
        self._folder = folder

    async def install(self, name: str, command: str = "install") -> "subprocess.CompletedProcess[str]":
        """Install a package with an empty npm cache; `ci` keeps the lock file of the time before."""
        self._npm.clear_cache()
        app = write_project(self._folder / f"app-{name}", {"name": "app", "dependencies": {name: "1.0.0"}})
        shutil.rmtree(app / "node_modules", ignore_errors=True)
        if command != "ci":
            (app / "package-lock.json").unlink(missing_ok=True)
        return await asyncio.to_thread(self._npm.run, app, command, "--audit", check=False)

    def stored(self) -> set[bytes]:
        """What the store holds; each file's name must be the hash of its bytes."""
        files = [file for file in (self.node.root / ".libreseed_modules/.swarm").rglob("*") if file.is_file()]
        blobs = [file for file in files if file.parent.parent.name == "blobs"]
        assert blobs == files, "something half-written was left"
        for blob in blobs:
            assert blob.name == hashlib.sha512(blob.read_bytes()).hexdigest()
        return {blob.read_bytes() for blob in blobs}

    def holds(self, tarball: bytes) -> bool:
        return tarball in self.stored()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        pytest.param(Drop(), "broke the connection off", id="refuses"),
        pytest.param(Hang(), "", id="hangs"),
        pytest.param(Reply(500), "HTTP 500", id="500"),
        pytest.param(Reply(304), "HTTP 304", id="304"),
        pytest.param(Reply(200, b"{}", pause=LATE), "", id="late"),
        pytest.param(Reply(200, b'{"name":', length=100), "ended before", id="truncated"),
        pytest.param(Reply(200, b"<html>"), "not a complete JSON object", id="a page"),
    ],
)
async def test_a_faulty_upstream(nodes: Nodes, tmp_path: Path, fault: Action, says: str) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        tarball = offer(upstream, "warm", "1.0.0")
        offer(upstream, "cold", "1.0.0")
        first = await site.install("warm")
        assert first.returncode == 0, first.stderr

        upstream.fault = fault
        started = time.monotonic()
        again = await site.install("warm")
        assert again.returncode == 0, again.stderr
        assert time.monotonic() - started < LATE
        cold = await site.install("cold")
        assert (cold.returncode != 0, "503" in cold.stderr) == (True, True), cold.stderr
        assert (says or "did not deliver") in cold.stderr
        assert site.holds(tarball)

        upstream.fault = None
        recovered = await site.install("cold")
        assert recovered.returncode == 0, recovered.stderr


async def test_an_upstream_that_is_gone(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        offer(upstream, "warm", "1.0.0")
        assert (await site.install("warm")).returncode == 0
    again, cold = await site.install("warm"), await site.install("cold")
    assert again.returncode == 0, again.stderr
    assert "503" in cold.stderr, cold.stderr
    assert "cannot be reached" in cold.stderr


def truncated(tarball: bytes) -> Reply:
    return Reply(body=tarball[:-100], length=len(tarball))


def other(tarball: bytes) -> Reply:
    return Reply(body=make_tarball("evil", "1.0.0", tarball))


def late(tarball: bytes) -> Reply:
    return Reply(body=tarball, pause=LATE)


@pytest.mark.parametrize("fault", [truncated, other, late])
@pytest.mark.parametrize("filler", [b"", bytes(3 << 20)], ids=["small", "large"])
async def test_a_bad_tarball_is_never_stored(
    nodes: Nodes, tmp_path: Path, fault: Callable[[bytes], Reply], filler: bytes
) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        good = offer(upstream, "pkg", "1.0.0", filler=filler)
        path = "/pkg/-/pkg-1.0.0.tgz"
        upstream.on(path, fault(good))
        failed = await site.install("pkg")
        assert failed.returncode != 0, failed.stdout
        if len(good) < 1 << 20:
            assert "503" in failed.stderr, failed.stderr
        assert site.node.status()["store"]["tarballs"] == 0
        assert not any(b"evil" in blob or blob == good[:-100] for blob in site.stored())
        upstream.on(path, Reply(body=good))
        recovered = await site.install("pkg")
        assert recovered.returncode == 0, recovered.stderr
        assert site.holds(good)


async def test_a_version_that_the_upstream_has_dropped(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        offer(upstream, "pkg", "1.0.0")
        offer(upstream, "cold", "1.0.0")
        assert (await site.install("pkg")).returncode == 0
        for name in ("pkg", "cold"):
            upstream.on(f"/{name}/-/{name}-1.0.0.tgz", Reply(404))
        assert (await site.install("pkg")).returncode == 0
        gone = await site.install("cold")
        assert ("404" in gone.stderr, "503" in gone.stderr) == (True, False), gone.stderr

        offer(upstream, "pkg", "2.0.0")
        upstream.on("/pkg/-/pkg-1.0.0.tgz", Reply(404))
        locked = await site.install("pkg", "ci")
        assert locked.returncode == 0, locked.stderr


async def test_twenty_clients_ask_for_the_same_cold_package(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        node = await asyncio.to_thread(nodes.start, "node", "--upstream", upstream.url)
        tarball = offer(upstream, "pkg", "1.0.0", filler=bytes(2 << 20))
        path, [packument] = "/pkg/-/pkg-1.0.0.tgz", upstream.script["/pkg"]
        assert isinstance(packument, Reply)
        # Late enough that all have asked by then.
        upstream.on("/pkg", Reply(body=packument.body, headers=packument.headers, pause=1.0))
        upstream.on(path, Reply(body=tarball, pause=1.0))
        with ThreadPoolExecutor(20) as clients:
            ask = asyncio.get_running_loop().run_in_executor
            for url in ("/pkg", path):
                answers = await asyncio.gather(*(ask(clients, node.get, url) for _ in range(20)))
                assert {answer.status for answer in answers} == {200}
                assert len({answer.body for answer in answers}) == 1
                assert asked(upstream, url) == 1
            assert answers[0].body == tarball


async def test_five_npm_at_once_fetch_each_file_once(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        node = await asyncio.to_thread(nodes.start, "node", "--upstream", upstream.url)
        names = [f"pkg-{number}" for number in range(20)]
        for name in names:
            offer(upstream, name, "1.0.0")
        manifest = {"name": "app", "dependencies": dict.fromkeys(names, "1.0.0")}
        installs = []
        for number in range(5):
            app = write_project(tmp_path / f"app{number}", manifest)
            installs.append(asyncio.to_thread(Npm(tmp_path / f"npm{number}", node).run, app, "install"))
        await asyncio.gather(*installs)
        for name in names:
            assert [asked(upstream, f"/{name}"), asked(upstream, f"/{name}/-/{name}-1.0.0.tgz")] == [1, 1]


async def test_the_entity_tag_changes_only_with_the_package(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        offer(upstream, "pkg", "1.0.0")
        [packument] = upstream.script["/pkg"]
        assert isinstance(packument, Reply)

        async def tags(*headers: dict[str, str]) -> set[str]:
            host = {"Host": "registry.localhost"}  # the port is another one after the restart
            found = [await asyncio.to_thread(site.node.get, "/pkg", **host, **each) for each in headers]
            return {str(answer.headers["ETag"]) for answer in found}

        first = await tags({}, {}, {"Accept-Encoding": "gzip"})
        assert len(first) == 1
        upstream.on("/pkg", Reply(304))
        assert await tags({}, {}) == first
        # The same content as another server of a cluster may send it: with another tag and date.
        upstream.on("/pkg", Reply(body=packument.body, headers={"ETag": '"2"', "Date": "now"}))
        assert await tags({}, {}) == first
        await asyncio.to_thread(site.node.stop)
        await asyncio.to_thread(site.node.start)
        assert await tags({}, {}) == first
        offer(upstream, "pkg", "1.0.0", "1.0.1")
        async with asyncio.timeout(60):
            while await tags({}) == first:  # on a busy machine the first answer is an old one
                pass


async def test_a_lock_file_needs_no_metadata(nodes: Nodes, tmp_path: Path) -> None:
    async with FakeRegistry() as upstream:
        site = await asyncio.to_thread(Site, upstream, nodes, tmp_path)
        offer(upstream, "pkg", "1.0.0")
        assert (await site.install("pkg")).returncode == 0
        fresh = await asyncio.to_thread(nodes.start, "fresh", "--upstream", upstream.url)
        upstream.requests.clear()
        app = tmp_path / "app-pkg"
        lock = orjson.loads((app / "package-lock.json").read_bytes())
        lock["packages"]["node_modules/pkg"]["resolved"] = f"{fresh.url}/pkg/-/pkg-1.0.0.tgz"
        (app / "package-lock.json").write_bytes(orjson.dumps(lock))
        await asyncio.to_thread(Npm(tmp_path / "npm-fresh", fresh).run, app, "ci")
        assert [request.target for request in upstream.requests] == ["/pkg/-/pkg-1.0.0.tgz"]
