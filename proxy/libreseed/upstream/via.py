"""Loop detection between nodes that are each other's upstream, like HTTP's Via (RFC 9110, 7.6.3).

Each node appends its id to those in the request that it serves. A fetch must not be shared by requests that came
through different nodes: in a loop two such fetches would wait for each other.
"""

import re
from collections.abc import Iterable
from contextvars import ContextVar

from libreseed.upstream.retries import TransientError

VIA_HEADER = "X-Libreseed-Via"
MAX_HOPS = 16

_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_NO_RETRY = 3600.0
"""Seconds for Retry-After: longer than any client waits before a retry."""

_came_through: ContextVar[tuple[str, ...]] = ContextVar("came_through", default=())


def came_through() -> tuple[str, ...]:
    """Return the ids of the nodes that the request being served has come through, () when it is our own."""
    return _came_through.get()


def accept_via(values: Iterable[str], node_id: str) -> None:
    """Set what `came_through` returns in this task to the ids in `values`, those of `X-Libreseed-Via` in a request to
    the node `node_id`.

    Raises TransientError: the request came through this node before or through more than 16, or an id is malformed.
    """
    ids = tuple(node.strip() for value in values for node in value.split(",") if node.strip())
    if node_id in ids:
        raise TransientError("This request has come in a circle: this server is its own upstream.", wait=_NO_RETRY)
    if len(ids) > MAX_HOPS or not all(map(_ID.fullmatch, ids)):
        raise TransientError(f"This request has come through more than {MAX_HOPS} nodes.", wait=_NO_RETRY)
    _came_through.set(ids)


def via(node_id: str) -> str:
    """Return the value of `X-Libreseed-Via` for requests of the node `node_id` to its upstream."""
    return ",".join((*came_through(), node_id))
