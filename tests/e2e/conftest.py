from collections.abc import Iterator
from pathlib import Path

import pytest

from support.nodes import Nodes, running_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with running_nodes(tmp_path) as started:
        yield started
