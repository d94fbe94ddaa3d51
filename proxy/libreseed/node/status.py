"""The status of a node."""

from dataclasses import asdict
from typing import Any

from libreseed import __version__
from libreseed.config import Settings
from libreseed.delivery.sources import SourceCounter
from libreseed.network.addresses import show_address
from libreseed.node.networks import Networks
from libreseed.node.publishing import Publishing
from libreseed.node.stores import Stores
from libreseed.swarm.reputation import Measured
from libreseed.trust.keys import format_key
from libreseed.trust.records import Endpoint

_MOST = 50
"""Transfers, and other nodes, that are shown."""


class NodeStatus:
    """Collects the status that `GET /-/libreseed/status` and `libreseed status` show."""

    def __init__(
        self,
        settings: Settings,
        *,
        stores: Stores,
        networks: Networks,
        publishing: Publishing,
        counter: SourceCounter,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._networks = networks
        self._publishing = publishing
        self._counter = counter

    def describe(self) -> dict[str, Any]:
        """Return the status as JSON: addresses, peers, numbers of stored objects, and of responses by source."""
        networks, catalogue, upstream = self._networks, self._stores.catalogue, self._networks.upstream
        return {
            "version": __version__,
            "publisher": format_key(self._stores.key.public),
            "overlay": show_address(*networks.overlay.address),
            "p2p": show_address(self._settings.p2p_host, networks.session.port),
            "peers": {"overlay": networks.overlay.peers, "bittorrent": networks.session.peers},
            "limits": {"upload": self._settings.upload_limit, "download": self._settings.download_limit},
            "store": {
                "packages": catalogue.packages,
                "tarballs": catalogue.tarballs,
                "bytes": networks.seeding.size,
            },
            "served": self._counter.as_json(),
            "upstream": {
                "url": upstream.url if upstream else None,
                "requests": upstream.requests if upstream else 0,
            },
            "upstreams": upstream.state() if upstream else [],
            "mirroring": self._publishing.mirroring.waiting,
            "announcing": networks.announcing.waiting,
            "transfers": [
                {**asdict(each), "copies": round(each.copies, 2)} for each in networks.session.transfers()[:_MOST]
            ],
            "seeders": [_seeder(peer, measured) for peer, measured in networks.reputation.best(_MOST)],
        }


def _seeder(peer: Endpoint, measured: Measured) -> dict[str, Any]:
    return {
        "peer": show_address(*peer),
        "verified": int(measured.verified),
        "failed": round(measured.failed, 2),
        "lies": round(measured.lies, 2),
        "latency": round(measured.latency, 4) or None,
        "uptime": None if measured.uptime is None else round(measured.uptime, 3),
    }
