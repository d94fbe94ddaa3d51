"""One source of packages: its settings, HTTP transport, limits and access checks."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from yarl import URL

from libreseed.upstream.access import Access
from libreseed.upstream.limits import Limits
from libreseed.upstream.retries import with_retries
from libreseed.upstream.settings import UpstreamSettings
from libreseed.upstream.transport import Transport
from libreseed.upstream.via import came_through

T = TypeVar("T")


class Connection:
    """The default source or a declared one. Close its `transport`."""

    def __init__(self, settings: UpstreamSettings, *, node_id: str, limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        self.transport = Transport(settings, node_id=node_id, limits=limits)
        self.access = Access(settings, self.transport, limits)

    def registry(self, name: str) -> URL | None:
        """Return the registry of the package `name`; None when there is none for it."""
        registry = self.settings.registry_for(name)
        return None if registry is None else URL(registry, encoded=True)

    async def with_retries(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `work`; for a request of this node's own clients it is retried by
        `retries.with_retries`."""
        # A node that asked this one retries itself; with 3 attempts at each of n nodes there would be 3^n requests.
        return await (work() if came_through() else with_retries(work, self.limits))
