"""The peers around us: asking them, and keeping the routing table true."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from cachetools import TTLCache

from libreseed.errors import InvalidInputError
from libreseed.network.addresses import PUBLIC, Address, prefix_of, scope_of
from libreseed.network.overlay import messages
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.messages import Found, Header, Want
from libreseed.network.overlay.routing import Peer, Table
from libreseed.network.udp.wire import Fields, Wire
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_PROBES = 64
"""Newcomers asked for their id at the same time: their requests cost us one each."""
MAX_SAME_PREFIX = 8
"""Peers in the table with one public IP prefix: whoever owns a single address must not surround us."""
MAX_LOST = 1024
LOST = 86_400.0
"""Seconds for which a peer that was lost counts as away; after that nobody knows."""
FRESH = 60.0
"""Seconds after an answer for which a peer needs no check."""


class Neighbours:
    """The routing table and everything that is asked of peers.

    A peer enters the table when it has answered from its address, never because somebody named it or sent a
    request in its name. It leaves when it gives no answer, or one that breaks the protocol.
    """

    def __init__(
        self, wire: Wire, own: Header, table: Table, joined: Callable[[Peer], None], emptied: Callable[[], None]
    ) -> None:
        self.wire = wire
        self.own = own
        self.table = table
        self._joined = joined
        self._emptied = emptied
        self._probing: set[Address] = set()
        self._lost: TTLCache[Endpoint, None] = TTLCache(MAX_LOST, LOST)

    def ask(
        self,
        peer: Peer,
        method: str,
        arguments: Fields,
        on_answer: Callable[[Fields | None], None],
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """Send a request; `on_answer` gets the fields of an answer by this very peer, else None."""

        def answered(fields: Fields | None) -> None:
            real = self._take_in(peer.address, fields)
            if real is None or real.id != peer.id:
                self._lose(peer)
                on_answer(None)
            else:
                on_answer(fields)

        self.wire.request(
            peer.address,
            method=method,
            arguments=[*self._header(), *arguments],
            on_answer=answered,
            on_silence=on_silence,
        )

    def at_endpoint(self, endpoint: Endpoint) -> Peer | None:
        """Return the peer of the table with this BitTorrent endpoint, if there is one."""
        return next((peer for peer in self.table if (peer.ip, peer.p2p_port) == endpoint), None)

    def latencies(self) -> dict[Endpoint, float | None]:
        """Return the smoothed round trips, in seconds, of the peers of the table by their BitTorrent endpoints: 0 when
        it was not measured; None for those that were lost lately and have not been heard of since."""
        trip = self.wire.round_trips.smoothed
        there: dict[Endpoint, float | None] = {(peer.ip, peer.p2p_port): trip(peer.address) for peer in self.table}
        return dict.fromkeys(self._lost, None) | there

    def awake(self) -> set[Endpoint]:
        """Return the BitTorrent endpoints of the peers that have not fallen silent."""
        silent = self.wire.round_trips.is_silent
        return {(peer.ip, peer.p2p_port) for peer in self.table if not silent(peer.address)}

    def find(
        self,
        peer: Peer,
        target: bytes,
        want: Want,
        on_found: Callable[[Found | None], None],
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask a peer for the nodes it knows nearest to `target`, and for what it holds there."""

        def answered(fields: Fields | None) -> None:
            found = None
            if fields is not None:
                try:
                    found = messages.read_found(fields, peer.ip)
                except InvalidInputError as error:
                    log.debug("Answer of %s dropped: %s", peer, error)
                    self._lose(peer)
            on_found(found)

        self.ask(peer, method="find", arguments=[target, int(want)], on_answer=answered, on_silence=on_silence)

    async def store(self, peer: Peer, token: bytes, key_text: str, item: bytes) -> bool:
        """Hand a record to a peer; tell whether it took it."""
        return await self._count(peer, "store", [token, key_text, item]) > 0

    async def announce(self, peer: Peer, token: bytes, blobs: bytes) -> int:
        """Hand packed blobs to a peer; return how many it took."""
        return await self._count(peer, "announce", [token, blobs])

    async def bundle(self, peer: Peer, targets: bytes) -> list[tuple[bytes, Introduction]]:
        """Ask a peer for torrents of several of its blobs; return their v2 infohashes, and who else fetches each."""
        found = await self._answer(peer, "bundle", [targets], lambda fields: messages.read_bundled(fields, peer.ip))
        return found or []

    async def members(self, peer: Peer, v2: bytes) -> bytes:
        """Ask a peer what is in a bundle of its; empty when it does not say."""
        return await self._answer(peer, "members", [v2], messages.read_told_members) or b""

    async def join(self, peer: Peer, target: bytes) -> Introduction | None:
        """Tell a peer that we fetch a blob of its, and return who else does; None when it gives no answer."""
        return await self._answer(peer, "join", [target], lambda fields: messages.read_joined(fields, peer.ip))

    async def token(self, peer: Peer) -> bytes:
        """Return a write token of a peer, empty when it gives none."""
        future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        self.find(peer, peer.id, Want.NODES, lambda found: None if future.done() else future.set_result(found))
        found = await future
        return found.token if found else b""

    async def probe(self, address: Address) -> bytes | None:
        """Ask an address for its id, which may be our own; a peer enters the table. None when nobody answers."""
        fields = await self.wire.call(address, "ping", self._header())
        peer = self._take_in(address, fields)
        if peer is None and fields and fields[0] == self.own.node_id:
            return self.own.node_id
        return peer.id if peer else None

    def check(self, peer: Peer) -> None:
        """Ask a peer whether it is still there; one that is not leaves the table."""
        self.ask(peer, "ping", [], lambda _: None)

    def noticed(self, address: Address, header: Header) -> None:
        """Take note of a request: an unknown sender is asked who it is."""
        self.wire.round_trips.heard(address)
        known = self.table.get(header.node_id) if header.node_id else None
        if (
            not header.node_id
            or header.node_id == self.own.node_id
            or (known and known.address == address)
            or address in self._probing
            or len(self._probing) >= MAX_PROBES
        ):
            return
        self._probing.add(address)

        def answered(fields: Fields | None) -> None:
            self._probing.discard(address)
            self._take_in(address, fields)

        self.wire.request(address, "ping", self._header(), answered)

    def _header(self) -> Fields:
        return [self.own.node_id, self.own.p2p_port]

    async def _count(self, peer: Peer, method: str, arguments: Fields) -> int:
        return await self._answer(peer, method, arguments, messages.read_count) or 0

    async def _answer(self, peer: Peer, method: str, arguments: Fields, read: Callable[[Fields], T]) -> T | None:
        """Return what is read in the answer of a peer; None when there is none, or none that can be read."""
        future: asyncio.Future[Fields | None] = asyncio.get_running_loop().create_future()
        self.ask(peer, method, arguments, lambda fields: None if future.done() else future.set_result(fields))
        fields = await future
        try:
            return read(fields) if fields is not None else None
        except InvalidInputError as error:
            log.debug("Answer of %s dropped: %s", peer, error)
            self._lose(peer)
            return None

    def _take_in(self, address: Address, fields: Fields | None) -> Peer | None:
        """Enter whoever answered into the table; None when the answer does not say who."""
        if fields is None:
            return None
        try:
            header = messages.read_header(fields)
        except InvalidInputError as error:
            log.debug("Answer of %s:%d dropped: %s", *address, error)
            return None
        if header.node_id in (b"", self.own.node_id):
            return None
        peer = Peer(header.node_id, *address, header.p2p_port)
        known = self.table.get(peer.id)
        if known and known.address != address:
            # Nobody takes another's place by using its id, unless that other is gone.
            self.check(known)
            return peer
        if known is None and self._is_crowded(peer.ip):
            return peer
        oldest = self.table.add(peer)
        if oldest and time.monotonic() - oldest.heard_at > FRESH:
            self.check(oldest)
        if known is None and self.table.get(peer.id):
            log.debug("New peer %s.", peer)
            self._lost.pop((peer.ip, peer.p2p_port), None)
            self._joined(peer)
        return peer

    def _is_crowded(self, ip: str) -> bool:
        prefix = prefix_of(ip)
        return scope_of(ip) == PUBLIC and sum(prefix_of(peer.ip) == prefix for peer in self.table) >= MAX_SAME_PREFIX

    def _lose(self, peer: Peer) -> None:
        self.wire.round_trips.silent(peer.address)
        known = self.table.get(peer.id)
        if known and known.address == peer.address:
            log.debug("Lost peer %s.", peer)
            self.table.remove(known)
            self._lost[peer.ip, peer.p2p_port] = None
            if not len(self.table):
                self._emptied()
