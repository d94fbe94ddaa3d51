"""The two ports by which a node meets others: BitTorrent's and the overlay's. Saved, they outlive a restart."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from libreseed.config import Settings
from libreseed.errors import NetworkError, SwarmError
from libreseed.network.overlay import Overlay, OverlaySettings
from libreseed.store.ports import PortStore
from libreseed.store.shelf import OverlayShelf
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

P2P, OVERLAY = "p2p", "overlay"
"""What the ports are called in the store."""


async def start_session(settings: Settings, ports: PortStore) -> Session:
    """Start BitTorrent. Raises SwarmError, StoreError."""

    async def start(port: int) -> Session:
        session = Session(
            SessionSettings(
                settings.p2p_host, port, dht=settings.mainline, lan=settings.lan, port_mapping=settings.mainline
            )
        )
        await session.start()
        return session

    return await _on_port(settings.p2p_port, await ports.find(P2P), start)


async def start_overlay(settings: Settings, ports: PortStore, shelf: OverlayShelf, p2p_port: int) -> Overlay:
    """Start the overlay, which tells others the port of BitTorrent. Raises NetworkError, StoreError."""

    async def start(port: int) -> Overlay:
        overlay = Overlay(OverlaySettings(host=settings.p2p_host, port=port, p2p_port=p2p_port), shelf)
        await overlay.start()
        return overlay

    return await _on_port(settings.overlay_port, await ports.find(OVERLAY), start)


async def _on_port(wanted: int, last: int, start: Callable[[int], Awaitable[T]]) -> T:
    """Start something on the port that the user wants; when that is any, on the last one if it is still free."""
    if wanted == 0 and last != 0:
        try:
            return await start(last)
        except (NetworkError, SwarmError) as error:
            log.info("Taking another port than last time: %s", error)
    return await start(wanted)
