"""Audits; the upstream is scripted."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from support.clients import run
from support.compatibility import covers
from support.nodes import NodeProcess, running_nodes
from support.registry_clients import Client, project
from support.running import offer
from support.signing import NO_TUF, RegistrySigner
from upstream.fake_registry import FakeRegistry, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("clients-auditing")]

BULK = "/-/npm/v1/security/advisories/bulk"
FLAW = {
    "id": 1,
    "url": "https://advisories.test/1",
    "title": "Leaks like a sieve",
    "severity": "high",
    "vulnerable_versions": "<2.0.0",
}
SIGNED = "@signed/pkg"


@contextmanager
def running_registry() -> Iterator[FakeRegistry]:
    """Give a scripted registry that answers in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    registry = FakeRegistry()
    try:
        asyncio.run_coroutine_threadsafe(registry.__aenter__(), loop).result()
        yield registry
        asyncio.run_coroutine_threadsafe(registry.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node whose upstream knows a flaw of `leaky`, and signs SIGNED."""
    with running_registry() as upstream, running_nodes(tmp_path_factory.mktemp("node")) as nodes:
        offer(upstream, "leaky", "1.0.0", "2.0.0")
        offer(upstream, SIGNED, "1.0.0")
        signer = RegistrySigner()
        signer.sign(upstream, SIGNED)
        upstream.on("/-/npm/v1/keys", Reply(body=signer.keys()))
        upstream.on(BULK, Reply(body=orjson.dumps({"leaky": [FLAW]})))
        yield nodes.start("node", "--upstream", upstream.url)


@covers("audit", "`POST /-/npm/v1/security/advisories/bulk`")
def test_audit(client: Client, tmp_path: Path) -> None:
    app = project(tmp_path / "app", client, leaky="1.0.0")
    client.call(app, "install")
    done = client.call(app, "audit", check=False)
    assert (done.returncode, FLAW["title"] in done.stdout + done.stderr) == (1, True), done.stdout + done.stderr
    assert ("POST", BULK, 200, "upstream") in client.node.accesses()


@covers("audit signatures", "`GET /-/npm/v1/keys`, `GET /PACKAGE`")
def test_audit_signatures(client: Client, tmp_path: Path) -> None:
    app = project(tmp_path / "app", client, **{SIGNED: "1.0.0"})
    client.call(app, "install")
    (tmp_path / "no-tuf.cjs").write_text(NO_TUF)
    environment = {**client.environment, "NODE_OPTIONS": f"--require {tmp_path / 'no-tuf.cjs'}"}
    done = run(client.words("audit signatures"), app, environment)
    assert "verified registry signature" in done.stdout
    assert ("GET", "/-/npm/v1/keys", 200) in [access[:3] for access in client.node.accesses()]
