"""The running node, composed layer by layer: stores, networks, publishing, delivery, HTTP."""

import secrets
from contextlib import AsyncExitStack
from typing import Any

from libreseed.concurrency.tasks import Tasks
from libreseed.config import Settings
from libreseed.delivery.sources import SourceCounter
from libreseed.network.addresses import show_url
from libreseed.node.delivery import Delivery, make_metadata, make_tarballs
from libreseed.node.http import make_endpoints
from libreseed.node.networks import Networks, open_networks
from libreseed.node.publishing import Publishing, make_publishing
from libreseed.node.status import NodeStatus
from libreseed.node.stores import Stores, open_stores
from libreseed.packages.access import read_access
from libreseed.packages.policy import read_policy
from libreseed.publishing.withholding import find_withheld
from libreseed.registry.app import make_app
from libreseed.registry.http.server import HttpServer


class Node:
    """One running node: `await Node.start(settings)`, then `await node.stop()`. Its attributes are its layers."""

    def __init__(
        self,
        url: str,
        *,
        stores: Stores,
        networks: Networks,
        publishing: Publishing,
        delivery: Delivery,
        status: NodeStatus,
        cleanup: AsyncExitStack,
    ) -> None:
        """Take over running parts; only `start` calls it. `cleanup` ends them."""
        self.url = url
        self.stores = stores
        self.networks = networks
        self.publishing = publishing
        self.delivery = delivery
        self._status = status
        self._cleanup = cleanup

    @classmethod
    async def start(cls, settings: Settings) -> "Node":
        """Start all parts, and return while the overlay is still being joined. Raises a LibreseedError of the part that
        cannot start."""
        async with AsyncExitStack() as stack:
            return await cls._start(settings, stack)

    @classmethod
    async def _start(cls, settings: Settings, stack: AsyncExitStack) -> "Node":
        access = read_access(settings.access, settings.groups)
        policy = read_policy(settings.policy, settings.minimum_release_age)
        node_id = secrets.token_hex(8)
        counter = SourceCounter()

        stores = await open_stores(settings, stack)
        server = HttpServer(settings.host, settings.port)
        stack.push_async_callback(server.stop)
        networks = await open_networks(settings, stores, http_port=server.port, node_id=node_id, stack=stack)
        publishing = make_publishing(settings, stores, networks, access)
        metadata = await make_metadata(settings, stores, networks, publishing=publishing, policy=policy, access=access)
        tarballs = make_tarballs(settings, stores, networks, metadata)
        delivery = Delivery(metadata=metadata, tarballs=tarballs)
        status = NodeStatus(settings, stores=stores, networks=networks, publishing=publishing, counter=counter)

        tasks = Tasks()
        stack.push_async_callback(tasks.stop)
        await networks.seeding.open(await find_withheld(access, stores.catalogue, stores.records))
        tasks.start(networks.announcing.run())
        tasks.start(networks.reputation_keeper.run())
        tasks.start(networks.bandwidth.run())
        tasks.start(publishing.mirroring.run((metadata.packuments, tarballs)))
        tasks.start(publishing.signer.run())
        tasks.start(publishing.releases.resume())
        tasks.start(networks.overlay.bootstrap(settings.bootstrap))

        endpoints = make_endpoints(
            stores, publishing=publishing, delivery=delivery, access=access, counter=counter, status=status.describe
        )
        await server.serve(make_app(endpoints, hosts=settings.allow_hosts, node_id=node_id))
        stack.push_async_callback(server.stop)
        # Fetches are cancelled first, while the server still runs, so that waiting clients get an error response.
        delivery.close_with(stack)
        return cls(
            show_url(settings.host, server.port),
            stores=stores,
            networks=networks,
            publishing=publishing,
            delivery=delivery,
            status=status,
            cleanup=stack.pop_all(),
        )

    async def stop(self) -> None:
        """Stop all parts in the reverse order of their start. Stopping twice is harmless."""
        await self._cleanup.aclose()

    def status(self) -> dict[str, Any]:
        """Return what `GET /-/libreseed/status` shows."""
        return self._status.describe()
