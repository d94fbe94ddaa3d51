from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.nodes import NodeProcess, request, running_nodes
from support.packages import publish_body
from support.registry_clients import Client, log_in

Publish = Callable[..., str]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node without upstream, for all tests of a module: each uses names of its own."""
    with running_nodes(tmp_path_factory.mktemp("node")) as nodes:
        yield nodes.start("node", "--upstream", "none")


@pytest.fixture
def client(request: pytest.FixtureRequest, node: NodeProcess, tmp_path: Path) -> Client:
    """The client that the test is parametrised with, logged in as ann."""
    return Client(request.param, tmp_path / "home", node, "ann")


@pytest.fixture
def publish(node: NodeProcess) -> Publish:
    """Publish versions of a package as ann, without a client, and return its name."""
    token = log_in(node, "ann")

    def send(name: str, *versions: str, **fields: Any) -> str:
        for version in versions:
            body = publish_body(name, version)
            body["versions"][version] |= fields
            path = name.replace("/", "%2f")
            answer = request("PUT", f"{node.url}/{path}", headers={"Authorization": f"Bearer {token}"}, body=body)
            assert answer.status == 201, answer.body
        return name

    return send
