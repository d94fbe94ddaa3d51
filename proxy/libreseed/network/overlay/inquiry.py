"""Asking the nodes around us which blobs they hold: one datagram for many, where a lookup takes several for each.

An install wants hundreds of tarballs at once, and colleagues on the same network, or the one node that everybody has
joined by, often hold them all.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from libreseed.errors import InvalidInputError
from libreseed.network.overlay import messages
from libreseed.network.overlay.claims import pack_self, read_blobs
from libreseed.network.overlay.messages import BLOBS_PER_DATAGRAM
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.question import Holder, Question
from libreseed.network.overlay.routing import Peer
from libreseed.network.udp.wire import Fields
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

MAX_ASKED = 8
"""Neighbours asked for one blob."""
MAX_TRUSTED = 3
"""Of those, the ones that have delivered are asked first, and the others only for what these do not hold: it saves
messages, and a liar would else be believed whenever it is quicker."""
GATHER = 0.005
"""Seconds from one request to the next, for which what is asked for is gathered."""
GRACE = 0.2
"""Seconds that an answer may be late: the neighbour may only be busy."""
MAX_MISSES = 64
"""Blobs that a neighbour is asked for in a row without holding one, before it is left alone."""
BACK_OFF = 60.0
"""Seconds for which it is left alone."""
_REMEMBERED = 4096


Rank = Callable[[Endpoint], float]
_Questions = dict[bytes, Question]
"""By target."""


class Inquiry:
    """Asks the neighbours that are likeliest to hold something. Who has nothing, or does not deliver, is left alone for
    a while. `rank` orders them by their BitTorrent endpoints: below 0 is who has delivered, above 0 who has lied."""

    def __init__(self, neighbours: Neighbours, rank: Rank, clock: Callable[[], float] = time.monotonic) -> None:
        self._neighbours = neighbours
        self._rank = rank
        self._clock = clock
        self._pending: _Questions = {}
        self._sent_at = -GATHER
        self._misses: Counter[bytes] = Counter()
        self._left_alone: dict[bytes, float] = {}
        self._named: OrderedDict[bytes, list[bytes]] = OrderedDict()

    async def holders(self, target: bytes) -> AsyncGenerator[Holder, None]:
        """Yield the neighbours that say that they hold the blob with this 20-byte key, as their answers come."""
        if not self._pending:
            wait = max(self._sent_at + GATHER - self._clock(), 0)
            asyncio.get_running_loop().call_later(wait, self._send)
        question = self._pending.setdefault(target, Question())
        async with aclosing(question.answers()) as holders:
            async for holder in holders:
                yield holder

    def doubt(self, target: bytes) -> None:
        """Those who said that they hold this have not delivered."""
        for peer_id in self._named.pop(target, ()):
            self._leave_alone(peer_id)

    def _send(self) -> None:
        self._sent_at = self._clock()
        pending, self._pending = self._pending, {}
        peers = self._likeliest()
        trusted = [peer for peer in peers if self._rank_of(peer) < 0][:MAX_TRUSTED]
        others = [peer for peer in peers if peer not in trusted]
        targets = [*pending]
        for at in range(0, len(targets), BLOBS_PER_DATAGRAM):
            asked = {target: pending[target] for target in targets[at : at + BLOBS_PER_DATAGRAM]}
            self._ask(asked, trusted, partial(self._ask_others, asked, others), grace=0.0)

    def _likeliest(self) -> list[Peer]:
        now = self._clock()
        self._left_alone = {peer_id: until for peer_id, until in self._left_alone.items() if until > now}
        silent = self._neighbours.wire.round_trips.is_silent
        peers = [
            peer
            for peer in self._neighbours.table
            if peer.p2p_port and peer.id not in self._left_alone and not silent(peer.address)
        ]
        return sorted(peers, key=self._likelihood)[:MAX_ASKED]

    def _likelihood(self, peer: Peer) -> tuple[bool, int, float]:
        rank = self._rank_of(peer)
        return rank >= 0, self._misses[peer.id], rank

    def _rank_of(self, peer: Peer) -> float:
        return self._rank((peer.ip, peer.p2p_port))

    def _ask_others(self, asked: _Questions, peers: Sequence[Peer]) -> None:
        left = {target: question for target, question in asked.items() if not question.found}
        _end(question for target, question in asked.items() if target not in left)
        if left:
            self._ask(left, peers, partial(_end, left.values()), grace=GRACE)

    def _ask(self, asked: _Questions, peers: Sequence[Peer], then: Callable[[], None], *, grace: float) -> None:
        """Ask peers, and call `then` when all have answered, or are late by `grace` seconds."""
        waiting = {peer.id for peer in peers}

        def done_with(peer: Peer) -> None:
            if peer.id in waiting:
                waiting.discard(peer.id)
                if not waiting:
                    then()

        def ask(peer: Peer) -> None:
            def answered(fields: Fields | None) -> None:
                self._take(peer, asked, fields)
                done_with(peer)

            def late() -> None:
                asyncio.get_running_loop().call_later(grace, done_with, peer)

            self._neighbours.ask(peer, method="have", arguments=[b"".join(asked)], on_answer=answered, on_silence=late)

        for peer in peers:
            ask(peer)
        if not peers:
            then()

    def _take(self, peer: Peer, asked: _Questions, fields: Fields | None) -> None:
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
            asked[target].answer(Holder(peer.address, pack_self(held[target], peer.p2p_port), others))
            self._remember(target, peer.id)
        self._misses[peer.id] = 0 if found else self._misses[peer.id] + len(asked)
        if self._misses[peer.id] >= MAX_MISSES:
            self._leave_alone(peer.id)

    def _remember(self, target: bytes, peer_id: bytes) -> None:
        self._named.setdefault(target, []).append(peer_id)
        if len(self._named) > _REMEMBERED:
            self._named.popitem(last=False)

    def _leave_alone(self, peer_id: bytes) -> None:
        self._left_alone[peer_id] = self._clock() + BACK_OFF
        del self._misses[peer_id]


def _end(questions: Iterable[Question]) -> None:
    for question in questions:
        question.end()
