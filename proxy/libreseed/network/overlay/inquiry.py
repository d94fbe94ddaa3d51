"""Asking the nodes around us which blobs they hold: one datagram for many, where a lookup takes several for each.

An install wants hundreds of tarballs at once, and colleagues on the same network, or the one node that everybody has
joined by, often hold them all.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from libreseed.errors import InvalidInputError
from libreseed.network.addresses import Address
from libreseed.network.overlay import messages
from libreseed.network.overlay.claims import pack_self, read_blobs
from libreseed.network.overlay.messages import BLOBS_PER_DATAGRAM
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.routing import Peer
from libreseed.network.udp.wire import Fields

log = logging.getLogger(__name__)

MAX_ASKED = 8
"""Neighbours asked for one blob."""
GATHER = 0.005
"""Seconds from one request to the next, for which what is asked for is gathered."""
GRACE = 0.2
"""Seconds that an answer may be late: the neighbour may only be busy."""
MAX_MISSES = 64
"""Blobs that a neighbour is asked for in a row without holding one, before it is left alone."""
BACK_OFF = 60.0
"""Seconds for which it is left alone."""
_REMEMBERED = 4096


class Holder(NamedTuple):
    """Who says that he holds a blob, by his overlay address, his packed claim (see `claims`), and how many other nodes
    asked him for anything lately."""

    address: Address
    claim: bytes
    others: int


_Asked = dict[bytes, "asyncio.Future[Holder | None]"]
"""What is asked for, by target."""


class Inquiry:
    """Asks the neighbours that are likeliest to hold something. Who has nothing, or does not deliver, is left alone for
    a while."""

    def __init__(self, neighbours: Neighbours, clock: Callable[[], float] = time.monotonic) -> None:
        self._neighbours = neighbours
        self._clock = clock
        self._pending: _Asked = {}
        self._sent_at = -GATHER
        self._misses: Counter[bytes] = Counter()
        self._left_alone: dict[bytes, float] = {}
        self._named: OrderedDict[bytes, bytes] = OrderedDict()

    async def holder(self, target: bytes) -> Holder | None:
        """Return the first neighbour that says it holds the blob with this 20-byte key, None when nobody does."""
        loop = asyncio.get_running_loop()
        if not self._pending:
            loop.call_later(max(self._sent_at + GATHER - self._clock(), 0), self._send)
        if target not in self._pending:
            self._pending[target] = loop.create_future()
        return await asyncio.shield(self._pending[target])

    def doubt(self, target: bytes) -> None:
        """Whoever said that he holds this has not delivered."""
        if peer_id := self._named.pop(target, b""):
            self._leave_alone(peer_id)

    def _send(self) -> None:
        self._sent_at = self._clock()
        pending, self._pending = self._pending, {}
        peers = self._likeliest()
        targets = [*pending]
        for at in range(0, len(targets), BLOBS_PER_DATAGRAM):
            self._ask({target: pending[target] for target in targets[at : at + BLOBS_PER_DATAGRAM]}, peers)

    def _likeliest(self) -> list[Peer]:
        now = self._clock()
        self._left_alone = {peer_id: until for peer_id, until in self._left_alone.items() if until > now}
        silent = self._neighbours.wire.round_trips.is_silent
        peers = [
            peer
            for peer in self._neighbours.table
            if peer.p2p_port and peer.id not in self._left_alone and not silent(peer.address)
        ]
        return sorted(peers, key=lambda peer: self._misses[peer.id])[:MAX_ASKED]

    def _ask(self, asked: _Asked, peers: Sequence[Peer]) -> None:
        waiting = {peer.id for peer in peers}

        def done_with(peer: Peer) -> None:
            waiting.discard(peer.id)
            if not waiting:
                _settle(asked)

        def ask(peer: Peer) -> None:
            def answered(fields: Fields | None) -> None:
                self._take(peer, asked, fields)
                done_with(peer)

            def late() -> None:
                asyncio.get_running_loop().call_later(GRACE, done_with, peer)

            self._neighbours.ask(peer, method="have", arguments=[b"".join(asked)], on_answer=answered, on_silence=late)

        for peer in peers:
            ask(peer)
        if not peers:
            _settle(asked)

    def _take(self, peer: Peer, asked: _Asked, fields: Fields | None) -> None:
        held: Mapping[bytes, bytes] = {}
        others = 0
        try:
            if fields is not None:
                packed, others = messages.read_held(fields)
                held = dict(read_blobs(packed)) if packed else {}
        except InvalidInputError as error:
            log.debug("Answer of %s dropped: %s", peer, error)
        found = held.keys() & asked.keys()
        for target in found:
            if not asked[target].done():
                asked[target].set_result(Holder(peer.address, pack_self(held[target], peer.p2p_port), others))
                self._remember(target, peer.id)
        self._misses[peer.id] = 0 if found else self._misses[peer.id] + len(asked)
        if self._misses[peer.id] >= MAX_MISSES:
            self._leave_alone(peer.id)

    def _remember(self, target: bytes, peer_id: bytes) -> None:
        self._named[target] = peer_id
        if len(self._named) > _REMEMBERED:
            self._named.popitem(last=False)

    def _leave_alone(self, peer_id: bytes) -> None:
        self._left_alone[peer_id] = self._clock() + BACK_OFF
        del self._misses[peer_id]


def _settle(asked: _Asked) -> None:
    for future in asked.values():
        if not future.done():
            future.set_result(None)
