"""How one source of packages is reached: its settings, its connections, and the limits for what comes over them."""

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
    """One source, that of everything else or a declared one. Close its `transport`."""

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
        """Return the result of `work`, tried again as `retries.with_retries` does for requests that are our own."""
        # The node that asked us tries again itself; three times at each of n nodes would be 3^n times.
        return await (work() if came_through() else with_retries(work, self.limits))
