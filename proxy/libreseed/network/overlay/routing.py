"""The routing table: kademlia's buckets, with exact neighbours and without calls of its own."""

import heapq
import time
from collections.abc import Iterator

from kademlia.node import Node
from kademlia.routing import KBucket, RoutingTable

from libreseed.network.addresses import Address, Contact

ID_LENGTH = 20


class Peer(Node):  # type: ignore[misc]  # kademlia has no type hints
    """A node of the overlay as others see it: 20-byte id, IP address, UDP port, BitTorrent port (0: none)."""

    id: bytes
    ip: str
    port: int
    long_id: int

    def __init__(self, node_id: bytes, ip: str, port: int, p2p_port: int = 0) -> None:
        super().__init__(node_id, ip, port)
        self.p2p_port = p2p_port
        self.heard_at = time.monotonic()

    @property
    def address(self) -> Address:
        return self.ip, self.port

    @property
    def contact(self) -> Contact:
        return Contact(self.ip, self.port, self.p2p_port)


def distance(one: bytes, other: bytes) -> int:
    """Return Kademlia's distance of two 20-byte ids or keys."""
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")


class Table(RoutingTable):  # type: ignore[misc]  # kademlia has no type hints
    """Peers that answered us, in buckets of `size`."""

    buckets: list[KBucket]

    def __init__(self, own_id: bytes, size: int) -> None:
        super().__init__(None, size, Node(own_id))
        self._ids: dict[Address, bytes] = {}

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self.buckets)

    def __iter__(self) -> Iterator[Peer]:
        for bucket in self.buckets:
            yield from bucket.nodes.values()

    def get_bucket_for(self, node: Node) -> int:
        """Return the index of a node's bucket. kademlia's own misses ids at the end of a bucket's range."""
        return next(index for index, bucket in enumerate(self.buckets) if node.long_id <= bucket.range[1])

    def get(self, node_id: bytes) -> Peer | None:
        """Return the peer with this id, None when it is not in the table."""
        peer: Peer | None = self.buckets[self.get_bucket_for(Node(node_id))][node_id]
        return peer

    def add(self, peer: Peer) -> Peer | None:
        """Put a peer that just answered into its bucket, as the one heard last.

        A full bucket keeps it as a replacement; then the bucket's oldest peer is returned, which is to be
        asked whether it is still there. An address has one id: its last.
        """
        if (earlier := self._ids.get(peer.address, peer.id)) != peer.id:
            self.remove(Peer(earlier, *peer.address))
        self._ids[peer.address] = peer.id
        while True:
            bucket = self.buckets[self.get_bucket_for(peer)]
            if bucket.add_node(peer):
                return None
            if not bucket.has_in_range(self.node) and bucket.depth() % 5 == 0:
                oldest: Peer = bucket.head()
                return oldest
            self.split_bucket(self.buckets.index(bucket))

    def remove(self, peer: Peer) -> None:
        """Drop a peer that no longer answers; a replacement takes its place."""
        self.remove_contact(peer)
        self._ids.pop(peer.address, None)

    def closest(self, target: bytes, count: int) -> list[Peer]:
        """Return the `count` peers closest to a 20-byte target, the closest first."""
        key = int.from_bytes(target, "big")
        return heapq.nsmallest(count, self, key=lambda peer: peer.long_id ^ key)
