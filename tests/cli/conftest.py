"""A node that the commands install from."""

import pytest

from support.nodes import request, running_nodes
from support.packages import make_tarball, publish_body


@pytest.fixture
def publisher(tmp_path):
    """A node that has published `left` 1.0.0."""
    with running_nodes(tmp_path) as nodes:
        node = nodes.start("publisher", "--upstream", "none")
        body = {"name": "ann", "password": "correct horse"}
        token = request("PUT", f"{node.url}/-/user/org.couchdb.user:ann", body=body).json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        publish = publish_body("left", "1.0.0", make_tarball("left", "1.0.0"))
        assert request("PUT", f"{node.url}/left", headers=headers, body=publish).status == 201
        yield node
