"""Composes what connects a node to others: BitTorrent, the overlay, seeding, and the upstream."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from libreseed.config import Settings
from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.errors import NetworkError, SwarmError
from libreseed.network.overlay.inquiry import Rank
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.service import Bundles
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.node.bandwidth import Bandwidth
from libreseed.node.stores import Stores
from libreseed.node.upstream import open_upstream
from libreseed.publishing.announcing import Announcing
from libreseed.store.tables.overlay import OverlayStore
from libreseed.store.tables.ports import PortStore
from libreseed.swarm.bundler import Bundler
from libreseed.swarm.held import HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.reputation_keeper import ReputationKeeper
from libreseed.swarm.seeding import Seeding
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.upstream.client import Upstream

log = logging.getLogger(__name__)

T = TypeVar("T")

P2P, OVERLAY = "p2p", "overlay"
"""The uses under which the ports are saved. They are kept over restarts, so that other nodes' contacts stay valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The running networks of one node. The caller has to run `announcing`, `reputation_keeper` and `bandwidth`,
    and to open `seeding`."""

    session: Session
    overlay: Overlay
    announcing: Announcing
    seeding: Seeding
    fetcher: SwarmFetcher
    reputation: Reputation
    reputation_keeper: ReputationKeeper
    bandwidth: Bandwidth
    upstream: Upstream | None


async def open_networks(
    settings: Settings, stores: Stores, *, http_port: int, node_id: str, stack: AsyncExitStack
) -> Networks:
    """Start to listen, until the `stack` is closed; no other node is contacted yet. `http_port` and `node_id` as for
    `open_upstream`.

    Raises NetworkError, SwarmError, StoreError, ConfigError.
    """
    session = await start_session(settings, stores.ports)
    stack.push_async_callback(session.stop)
    await stores.ports.save(P2P, session.port)
    held = HeldBlobs()
    offers = Offers(session)
    bundler = Bundler(offers, stores.blobs, held)
    reputation = Reputation()
    overlay = await start_overlay(
        settings,
        stores.ports,
        stores.overlay,
        p2p_port=session.port,
        bundles=bundler,
        rank=reputation.rank,
    )
    stack.push_async_callback(overlay.stop)
    await stores.ports.save(OVERLAY, overlay.address[1])
    announcing = Announcing(overlay)
    seeding = Seeding(
        stores.blobs,
        catalogue=stores.catalogue,
        session=session,
        held=held,
        offers=offers,
        announcer=announcing,
    )
    upstream = await open_upstream(settings, http_port=http_port, node_id=node_id, stack=stack)
    reputation_keeper = ReputationKeeper(reputation, stores.seeders, overlay.latencies)
    await reputation_keeper.open()
    stack.push_async_callback(reputation_keeper.save)
    swarm = SwarmParts(
        overlay=overlay,
        session=session,
        blobs=stores.blobs,
        seeding=seeding,
        offers=offers,
        reputation=reputation,
    )
    fetcher = SwarmFetcher(swarm)
    stack.push_async_callback(fetcher.close)
    return Networks(
        session=session,
        overlay=overlay,
        announcing=announcing,
        seeding=seeding,
        fetcher=fetcher,
        reputation=reputation,
        reputation_keeper=reputation_keeper,
        bandwidth=Bandwidth(overlay, session, upload=settings.upload_limit, download=settings.download_limit),
        upstream=upstream,
    )


async def start_session(settings: Settings, ports: PortStore) -> Session:
    """Start BitTorrent. Raises SwarmError, StoreError."""

    async def start(port: int) -> Session:
        session = Session(
            SessionSettings(
                settings.p2p_host,
                port,
                dht=settings.mainline,
                lan=settings.lan,
                port_mapping=settings.mainline,
                upload_limit=settings.upload_limit,
                download_limit=settings.download_limit,
            )
        )
        await session.start()
        return session

    return await _on_port(settings.p2p_port, await ports.find(P2P), start)


async def start_overlay(
    settings: Settings, ports: PortStore, storage: OverlayStore, *, p2p_port: int, bundles: Bundles, rank: Rank
) -> Overlay:
    """Start the overlay, which tells others the port of BitTorrent. Raises NetworkError, StoreError."""

    async def start(port: int) -> Overlay:
        own = OverlaySettings(host=settings.p2p_host, port=port, p2p_port=p2p_port)
        overlay = Overlay(own, storage, bundles=bundles, rank=rank)
        await overlay.start()
        return overlay

    return await _on_port(settings.overlay_port, await ports.find(OVERLAY), start)


async def _on_port(wanted: int, last: int, start: Callable[[int], Awaitable[T]]) -> T:
    """Start a network on the port `wanted`; when that is 0, on the `last` one, or any other if that is taken."""
    if wanted == 0 and last != 0:
        try:
            return await start(last)
        except (NetworkError, SwarmError) as error:
            log.info("Taking another port than last time: %s", error)
    return await start(wanted)
