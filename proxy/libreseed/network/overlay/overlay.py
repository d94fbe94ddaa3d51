"""The overlay: our own Kademlia network, where package records and holders of blobs are found."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from libreseed.concurrency.tasks import Tasks
from libreseed.errors import NetworkError
from libreseed.network.addresses import Address, Contact, canonical_ip
from libreseed.network.overlay.announcer import Announcer
from libreseed.network.overlay.bootstrap import Bootstrap
from libreseed.network.overlay.claims import Claim, ClaimBook, HeldBlob
from libreseed.network.overlay.holder_search import find_claims
from libreseed.network.overlay.inquiry import Inquiry, Rank
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.lookup import Lookup
from libreseed.network.overlay.maintenance import keep_fresh
from libreseed.network.overlay.messages import Header, Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.persistence import Persistence
from libreseed.network.overlay.record_collector import RecordCollector
from libreseed.network.overlay.recordbook import RecordBook, Validator, target_of, validate_package
from libreseed.network.overlay.replication import Replication
from libreseed.network.overlay.routing import Peer, Table
from libreseed.network.overlay.service import Bundles, NoBundles, Service
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import OverlayStorage
from libreseed.network.overlay.writer import StorageWriter
from libreseed.network.udp.round_trips import RoundTrips
from libreseed.network.udp.sockets import bind_udp
from libreseed.network.udp.wire import Handler, Wire
from libreseed.packages.integrity import content_key
from libreseed.packages.names import key_text as key_text_of
from libreseed.trust.items import SignedItem
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

_FLUSH = 5.0


@dataclass(frozen=True, slots=True)
class _Parts:
    wire: Wire
    neighbours: Neighbours
    bootstrap: Bootstrap
    records: RecordBook
    claims: ClaimBook
    inquiry: Inquiry
    replication: Replication
    announcer: Announcer
    writer: StorageWriter
    tasks: Tasks


class Overlay:
    """One node of the overlay. Call `start` before anything else, and `stop` at the end.

    `bundles` serves who wants several of our blobs in one torrent, and makes none by default; `rank` as for Inquiry.
    """

    def __init__(
        self,
        settings: OverlaySettings,
        storage: OverlayStorage,
        *,
        bundles: Bundles | None = None,
        validator: Validator = validate_package,
        rank: Rank = lambda _: 0.0,
    ) -> None:
        self.p2p_port = settings.p2p_port
        self._bundles = bundles or NoBundles()
        self._settings = settings
        self._storage = storage
        self._persistence = Persistence(storage)
        self._validator = validator
        self._rank = rank
        self._blobs: dict[bytes, HeldBlob] = {}
        self._running: _Parts | None = None

    async def start(self) -> None:
        """Open the socket and take up the records of the last session. Raises NetworkError when the address is
        taken or not ours."""
        node_id = await self._persistence.node_id()
        last_peers = await self._persistence.last_peers()
        sock = await bind_udp(self._settings.host, self._settings.port)
        parts = self._running = await self._assemble(sock, node_id, last_peers)
        await self._persistence.load_records(parts.records)
        for work in (
            parts.writer.run(),
            parts.bootstrap.keep_joined(),
            parts.replication.keep_announced(),
            parts.announcer.keep_announced(),
            keep_fresh(parts.neighbours, parts.bootstrap, self._persistence),
        ):
            parts.tasks.start(work)
        log.info("The overlay listens on %s:%d.", *self.address)

    async def stop(self) -> None:
        """End everything that is under way and save what is to be kept. Stopping twice is harmless."""
        parts, self._running = self._running, None
        if parts is None:
            return
        contacts = [peer.contact for peer in parts.neighbours.table]
        await parts.writer.flush(_FLUSH)
        await parts.tasks.stop()
        parts.wire.close()
        await self._persistence.save_contacts(contacts)

    @property
    def address(self) -> Address:
        """IP address and UDP port that we listen on."""
        name = self._parts.wire.transport.get_extra_info("sockname")
        return canonical_ip(name[0]), name[1]

    @property
    def peers(self) -> int:
        """How many nodes are in our routing table."""
        return len(self._running.neighbours.table) if self._running else 0

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of all messages so far: sent, and received."""
        return self._parts.wire.sent, self._parts.wire.received

    @property
    def held(self) -> tuple[int, int]:
        """How many records and how many claims of others we hold."""
        return len(self._parts.records), len(self._parts.claims)

    def contacts(self) -> list[Contact]:
        """Return the nodes in our routing table."""
        return [peer.contact for peer in self._parts.neighbours.table]

    async def bootstrap(self, contacts: Iterable[str] = ()) -> None:
        """Join by `contacts` (`host:port`; names, IPv4, `[IPv6]`) and those of the last session, side by side.

        Nobody answering is only logged, and they are tried again in the background until somebody does.
        Raises ConfigError for an address that cannot be read.
        """
        await self._parts.bootstrap.join(contacts)

    async def find_records(self, name: str) -> list[SignedItem]:
        """Return the newest valid record of each publisher under a package name, in no order.

        Each passed the validator; it may have expired, which is for the caller to judge. Empty when there is
        none, or nobody answers.
        """
        parts = self._parts
        key_text = key_text_of(name)
        target = target_of(key_text)
        collector = RecordCollector(key_text, self._validator, time.time(), parts.writer.evidence)
        local = collector.count((held.item.encode() for held in parts.records.at(target)), "this node")
        lookup = self._lookup(parts, target, Want.RECORDS)
        async with aclosing(lookup.answers()) as answers:
            async for peer, found in answers:
                collector.take(peer, found)
        for item, lacking in collector.stale(lookup.closest):
            parts.replication.repair(key_text, item.encode(), lacking)
        for item in collector.items:
            if local.get(item.key, item.seq) < item.seq:
                parts.records.catch_up(key_text, item, time.time())
        return collector.items

    async def store_record(self, name: str, item: SignedItem) -> int:
        """Keep a record here and on the closest nodes; return how many of those took it.

        Raises a TrustError when it is not valid under that name, or older than the one we hold.
        """
        parts = self._parts
        key_text = key_text_of(name)
        parts.records.accept(key_text, item, time.time(), None)
        return await parts.replication.spread(key_text, item.encode())

    async def announce(self, blobs: Iterable[HeldBlob]) -> int:
        """Tell the network that we hold these blobs, and again every half hour until `withdraw`.

        Returns how many of them some other node knows now. Without a BitTorrent port nothing is announced.
        """
        return await self._parts.announcer.add(blobs)

    def hold(self, blobs: Iterable[HeldBlob]) -> None:
        """Tell neighbours who ask that we hold these blobs, which are to be announced soon."""
        self._parts.announcer.hold(blobs)

    def withdraw(self, digest: bytes) -> None:
        """Announce a blob no longer; others forget it within the hour."""
        self._parts.announcer.remove(target_of(content_key(digest)))

    async def find_holders(self, digest: bytes, *, nearby: bool = False) -> AsyncGenerator[Claim, None]:
        """Yield each claim to hold the bytes with this SHA-512 (64 bytes), as answers arrive; ends when the
        closest nodes have answered. The asker may stop early (`aclose`).

        With `nearby` the neighbours are asked first, and nobody else when some of them hold it, unless it is large:
        then it comes sooner from many.
        """
        parts = self._parts
        target = target_of(content_key(digest))
        lookup = self._lookup(parts, target, Want.CLAIMS)
        found = find_claims(digest, target, parts.inquiry if nearby else None, parts.claims, lookup)
        async with aclosing(found) as claims:
            async for claim in claims:
                yield claim

    def doubt_holder(self, digest: bytes) -> None:
        """The neighbour that says it holds this has not delivered: it is not asked for a while."""
        self._parts.inquiry.doubt(target_of(content_key(digest)))

    async def request_bundles(self, holder: Endpoint, digests: Sequence[bytes]) -> list[tuple[bytes, Introduction]]:
        """Ask a neighbour, by its BitTorrent endpoint, for torrents that have those of these blobs that it holds, at
        most 48 of 1 MiB; return their v2 infohashes, and who else fetches each. Empty when it makes none, or is no
        neighbour."""
        neighbours = self._parts.neighbours
        peer = neighbours.at_endpoint(holder)
        targets = [target_of(content_key(digest)) for digest in digests]
        return await neighbours.bundle(peer, b"".join(targets)) if peer is not None else []

    async def request_members(self, holder: Endpoint, v2: bytes) -> bytes:
        """Ask a neighbour, by its BitTorrent endpoint, what is in a bundle of its; empty when it does not say."""
        neighbours = self._parts.neighbours
        peer = neighbours.at_endpoint(holder)
        return await neighbours.members(peer, v2) if peer is not None else b""

    async def join(self, holder: Endpoint, digest: bytes) -> Introduction | None:
        """Tell a neighbour, by its BitTorrent endpoint, that we fetch a blob that it has, and return who else does.

        None when it is no neighbour, or gives no answer.
        """
        neighbours = self._parts.neighbours
        peer = neighbours.at_endpoint(holder)
        return await neighbours.join(peer, target_of(content_key(digest))) if peer is not None else None

    def latencies(self) -> dict[Endpoint, float | None]:
        """Return whether other nodes are there, by their BitTorrent endpoints: the smoothed round trip in seconds (0
        when it was not measured), None for those that went away."""
        return self._parts.neighbours.latencies()

    def awake(self, peers: Iterable[Endpoint]) -> list[Endpoint]:
        """Return those of these BitTorrent endpoints that are of neighbours who have not fallen silent."""
        known = self._parts.neighbours.awake()
        return [peer for peer in peers if peer in known]

    @property
    def _parts(self) -> _Parts:
        if self._running is None:
            raise NetworkError("The overlay is not running.")
        return self._running

    def _lookup(self, parts: _Parts, target: bytes, want: Want) -> Lookup:
        return Lookup(parts.neighbours, target, want, size=self._settings.k, alpha=self._settings.alpha)

    async def _assemble(self, sock: socket.socket, node_id: bytes, last_peers: Sequence[Address]) -> _Parts:
        settings = self._settings
        handlers: dict[str, Handler] = {}
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_datagram_endpoint(lambda: Wire(handlers, RoundTrips()), sock=sock)
        tasks = Tasks()
        writer = StorageWriter(self._storage)
        own = Header(b"" if settings.client_only else node_id, self.p2p_port)
        neighbours = Neighbours(
            wire, own=own, table=Table(node_id, settings.k), joined=self._joined, emptied=self._emptied
        )
        records = RecordBook(
            node_id,
            self._validator,
            saved=writer.save,
            removed=writer.remove,
            evidence=writer.evidence,
            limits=settings.record_limits,
        )
        claims = ClaimBook(node_id, settings.claim_limits)
        k, alpha = settings.k, settings.alpha
        service = Service(neighbours, records=records, claims=claims, own_blobs=self._blobs, bundles=self._bundles, k=k)
        handlers.update(service.handlers)
        return _Parts(
            wire=wire,
            neighbours=neighbours,
            bootstrap=Bootstrap(neighbours, last_peers, tasks, k=k, alpha=alpha, timeout=settings.bootstrap_timeout),
            records=records,
            claims=claims,
            inquiry=Inquiry(neighbours, self._rank),
            replication=Replication(neighbours, records, self._validator, tasks, k=k, alpha=alpha),
            announcer=Announcer(neighbours, self._blobs, k=k, alpha=alpha),
            writer=writer,
            tasks=tasks,
        )

    def _joined(self, peer: Peer) -> None:
        if self._running:
            self._running.replication.welcome(peer)
            self._running.announcer.wake()

    def _emptied(self) -> None:
        if self._running:
            self._running.bootstrap.alone()
