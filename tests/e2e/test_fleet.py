"""Hosts that fetch the same at a time take little more than one copy out of the one that has it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.nodes import NodeProcess, running_nodes
from support.synthetic import Package, make_package, serving, small_packages

pytestmark = pytest.mark.e2e

HOSTS = 4
LIMIT = "2M"
"""What the holder may send a second, as a slow link would let it."""


def sent_while(holder: NodeProcess, done: threading.Event) -> int:
    """Return how many bytes of torrents the holder has sent, as its status tells while it sends."""
    sent: dict[str, int] = {}
    while not done.is_set():
        for transfer in holder.status()["transfers"]:
            sent[transfer["name"]] = max(sent.get(transfer["name"], 0), transfer["sent"])
        time.sleep(0.05)  # it tells how things stand, and of no changes
    return sum(sent.values())


def fetch(node: NodeProcess, packages: list[Package]) -> set[str]:
    """Get all at once; return the sources."""

    def get(package: Package) -> str:
        answer = node.get(package.path, **{"pacote-integrity": package.integrity})
        assert (answer.status, answer.body) == (200, package.tarball)
        return answer.source

    with ThreadPoolExecutor(15) as pool:
        return set(pool.map(get, packages))


@pytest.mark.parametrize("what", ["one large", "many small"])
def test_four_hosts_take_less_than_two_copies(what: str, tmp_path: Path) -> None:
    packages = [make_package("large", 6_000_000, 1)] if what == "one large" else small_packages(60)
    with serving(packages) as url, running_nodes(tmp_path) as nodes:
        holder = nodes.start("holder", "--upstream", url, "--upload-limit", LIMIT)
        for package in packages:
            assert holder.get(package.path).status == 200
        holder.settled()
        hosts = [nodes.start(f"host{number}", "--upstream", "none", bootstrap=holder) for number in range(HOSTS)]
        for host in hosts:
            host.joined(HOSTS)
        done = threading.Event()
        with ThreadPoolExecutor(HOSTS + 1) as pool:
            sent = pool.submit(sent_while, holder, done)
            sources = [*pool.map(lambda host: fetch(host, packages), hosts)]
            done.set()
        assert sources == [{"swarm"}] * HOSTS
        assert 0 < sent.result() < 2 * sum(len(package.tarball) for package in packages)
