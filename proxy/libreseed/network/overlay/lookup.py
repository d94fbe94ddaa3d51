"""The walk towards a key: Kademlia's lookup with a window of requests under way instead of rounds."""

import asyncio
from bisect import insort
from collections.abc import AsyncGenerator, Iterable
from enum import Enum, auto

from libreseed.network.overlay.messages import Found, Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.routing import Peer

MAX_ASKED = 160
"""Peers asked in one lookup, whatever they answer."""
TIME_LIMIT = 6.0
"""Seconds after which a lookup ends, whatever is under way."""
GRACE = 0.2
"""Seconds that a lookup which found nothing waits for late answers."""


class _State(Enum):
    KNOWN = auto()
    ASKED = auto()
    LATE = auto()
    FAILED = auto()
    ANSWERED = auto()


class Lookup:
    """One lookup of a 20-byte target; iterate over `answers` once.

    A peer whose answer is late gives up its place in the window at once, and the window grows with the number
    of late peers: a network half of dead nodes costs one or two time-outs, not one a round. A late answer
    still counts while the lookup runs.
    """

    def __init__(self, neighbours: Neighbours, target: bytes, want: Want, *, size: int, alpha: int) -> None:
        self._neighbours = neighbours
        self._target = target
        self._want = want
        self._size = size
        self._alpha = alpha
        self._key = int.from_bytes(target, "big")
        self._order: list[tuple[int, Peer]] = []
        self._states: dict[bytes, _State] = {}
        self._answers: dict[bytes, Found] = {}
        self._under_way = 0
        self._late = 0
        self._asked = 0
        self._fruitful = False
        self._events: asyncio.Queue[tuple[Peer, Found] | None] = asyncio.Queue()
        self._expired = False

    @property
    def closest(self) -> list[tuple[Peer, Found]]:
        """The closest peers that answered, at most `size`, closest first."""
        return self.answered[: self._size]

    @property
    def answered(self) -> list[tuple[Peer, Found]]:
        """All peers that answered, closest first."""
        return [(peer, self._answers[peer.id]) for _, peer in self._order if peer.id in self._answers]

    async def answers(self) -> AsyncGenerator[tuple[Peer, Found], None]:
        """Yield each answer as it comes, until the closest peers have all answered."""
        self._start()
        timer = asyncio.get_running_loop().call_later(TIME_LIMIT, self._expire)
        try:
            while not self._expired:
                self._fill()
                if not (self._under_way or self._events.qsize() or await self._late_answer()):
                    return
                if event := await self._events.get():
                    yield event
        finally:
            timer.cancel()

    async def run(self) -> "Lookup":
        """Walk to the end; return itself."""
        async for _ in self.answers():
            pass
        return self

    def _start(self) -> None:
        silent = self._neighbours.wire.round_trips.is_silent
        near = self._neighbours.table.closest(self._target, self._size * 2)
        awake = [peer for peer in near if not silent(peer.address)]
        for peer in (awake or near)[: self._size]:
            self._add(peer)

    def _add(self, peer: Peer) -> None:
        if peer.id not in self._states and peer.id != self._neighbours.own.node_id:
            self._states[peer.id] = _State.KNOWN
            insort(self._order, (peer.long_id ^ self._key, peer), key=lambda entry: entry[0])

    def _learn(self, peers: Iterable[Peer]) -> None:
        silent = self._neighbours.wire.round_trips.is_silent
        for peer in peers:
            if not silent(peer.address):
                self._add(peer)

    def _fill(self) -> None:
        window = self._alpha + min(self._late, 2 * self._alpha)
        live = 0
        for _, peer in self._order:
            state = self._states[peer.id]
            if state in (_State.LATE, _State.FAILED):
                continue
            live += 1
            if live > self._size or self._under_way >= window or self._asked >= MAX_ASKED:
                return
            if state is _State.KNOWN:
                self._ask(peer)

    def _ask(self, peer: Peer) -> None:
        self._states[peer.id] = _State.ASKED
        self._under_way += 1
        self._asked += 1

        def left() -> None:
            if self._states[peer.id] is _State.ASKED:
                self._under_way -= 1
            elif self._states[peer.id] is _State.LATE:
                self._late -= 1

        def on_found(found: Found | None) -> None:
            left()
            if found is None:
                self._states[peer.id] = _State.FAILED
                self._events.put_nowait(None)
                return
            self._states[peer.id] = _State.ANSWERED
            self._answers[peer.id] = found
            self._fruitful = self._fruitful or bool(found.values) or self._want is Want.NODES
            self._learn(found.nodes)
            self._events.put_nowait((peer, found))

        def on_silence() -> None:
            left()
            self._states[peer.id] = _State.LATE
            self._late += 1
            self._events.put_nowait(None)

        self._neighbours.find(peer, self._target, self._want, on_found, on_silence)

    async def _late_answer(self) -> bool:
        """Wait a little for late answers when there is nothing to show yet; tell whether something came."""
        if not self._late or self._fruitful:
            return False
        try:
            # Before the first answer there is nothing to lose: wait until the late ones have given up.
            async with asyncio.timeout(GRACE if self._answers else None):
                event = await self._events.get()
        except TimeoutError:
            return False
        self._events.put_nowait(event)
        return True

    def _expire(self) -> None:
        self._expired = True
        self._events.put_nowait(None)
