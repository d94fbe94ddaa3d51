"""The nodes that a request has come through, so that nodes which are each other's upstream notice their circle.

Each node appends its id to those that came with the request that it serves. What is fetched for requests that came
different ways must not be shared: in a circle, two fetches could then wait for each other.
"""

import re
from collections.abc import Iterable
from contextvars import ContextVar

from libreseed.upstream.retries import TransientError

VIA_HEADER = "X-Libreseed-Via"
MAX_HOPS = 16

_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_FOR_GOOD = 3600.0
"""Seconds to stay away: longer than anybody who retries by himself waits."""

_came_through: ContextVar[tuple[str, ...]] = ContextVar("came_through", default=())


def came_through() -> tuple[str, ...]:
    """Return the ids of the nodes that the request being served has come through, () when it is our own."""
    return _came_through.get()


def accept_via(values: Iterable[str], node_id: str) -> None:
    """Let this task serve a request to the node `node_id` that came with these values of `X-Libreseed-Via`.

    Raises TransientError: it came through this node before or through more than 16, or an id is malformed.
    """
    ids = tuple(node.strip() for value in values for node in value.split(",") if node.strip())
    if node_id in ids:
        raise TransientError("This request has come in a circle: this server is its own upstream.", wait=_FOR_GOOD)
    if len(ids) > MAX_HOPS or not all(map(_ID.fullmatch, ids)):
        raise TransientError(f"This request has come through more than {MAX_HOPS} nodes.", wait=_FOR_GOOD)
    _came_through.set(ids)


def via(node_id: str) -> str:
    """Return the value of `X-Libreseed-Via` for what the node `node_id` sends to its upstream."""
    return ",".join((*came_through(), node_id))
