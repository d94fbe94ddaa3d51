"""A project installed without a lock file by a client, through an empty node, a full one, and one cut off."""

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.nodes import Access, Nodes
from support.registry_clients import Client, pin, project

CLIENTS = ("npm-11", "pnpm-12", "yarn-4", "bun-1")


@dataclass(frozen=True)
class Installed:
    """One install. `state`: "cold", the node was empty; "warm", it was full; "cut off", its upstream was gone as well.
    `accesses` are the requests that the client sent."""

    state: str
    folder: Path
    seconds: float
    accesses: list[Access]

    @property
    def tarballs(self) -> set[str]:
        return {access.path for access in self.accesses if access.path.endswith(".tgz")}

    @property
    def sources(self) -> set[str]:
        """Where the tarballs came from. One that was asked for twice came from elsewhere once, and then from the store,
        whichever request ended first."""
        found: dict[str, str | None] = {}
        for access in self.accesses:
            if access.path.endswith(".tgz") and found.get(access.path, "store") == "store":
                found[access.path] = access.source
        return set(found.values())

    @property
    def failed(self) -> set[str]:
        """The packages and tarballs that the client did not get."""
        return {access.path for access in self.accesses if access.status >= 400 and not access.path.startswith("/-/")}


def install_thrice(
    name: str, nodes: Nodes, folder: Path, dependencies: Mapping[str, str], pinned: Mapping[str, str]
) -> Iterator[Installed]:
    """Install by the client `name`, whose caches are empty each time; the node keeps its store. `pinned`: see `pin`."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        node = nodes.start(f"node-{name}")
        yield _install("cold", Client(name, folder / name / "home-cold", node), dependencies, pinned)
        yield _install("warm", Client(name, folder / name / "home-warm", node), dependencies, pinned)
        node.stop()
        node = nodes.start(f"node-{name}", "--upstream", nobody)
        yield _install("cut off", Client(name, folder / name / "home-cut-off", node), dependencies, pinned)
        node.stop()


def _install(state: str, client: Client, dependencies: Mapping[str, str], pinned: Mapping[str, str]) -> Installed:
    app = project(client.home.with_name(f"app-{client.home.name}"), client, **dependencies)
    pin(app, client, pinned)
    before = len(client.node.accesses())
    started = time.perf_counter()
    client.call(app, "install")
    return Installed(state, app, time.perf_counter() - started, client.node.accesses()[before:])
