"""What this node has measured of others: who delivers, who has lied, who is there, and who cannot be reached.

It orders who is asked first, and is nobody's word but our own. All of it is forgotten in time: an address may be
somebody else's tomorrow. It is kept over restarts by `swarm.reputation_keeper`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cachetools import LRUCache, TTLCache

from libreseed.trust.records import Endpoint

MAX_PEERS = 4096
"""Peers of which anything is known; the one that was heard of longest ago makes room."""
HALF_LIFE = 86_400.0
"""Seconds after which what was delivered, and each lie, counts half."""
SHUNNED = 600.0
"""Seconds for which nobody is asked who sent wrong bytes."""
UNREACHED = 30.0
"""Seconds for which a host that could not be reached is not asked as one of those who fetch the same."""

_MOMENT = 1.0
"""Seconds that change nothing worth the computing."""
_LIE = 1e12
"""Bytes that would have to be delivered to make good for one lie, or one failure."""


@dataclass(slots=True)
class Measured:
    """What is known of one peer. All but the latency count half after each HALF_LIFE.

    `verified` bytes were right. `failed` is how often it was banned from a torrent for pieces that were not of it,
    `lies` how often a torrent from it was whole and not what it was claimed to be. Of `looks` at whether it is there,
    it was so `up` times. `latency` is its round trip in seconds, 0 when that is not known.
    """

    verified: float = 0.0
    failed: float = 0.0
    lies: float = 0.0
    looks: float = 0.0
    up: float = 0.0
    latency: float = 0.0

    @property
    def uptime(self) -> float | None:
        """The part of the time for which it was there, from 0 to 1; None when that is not known."""
        return self.up / self.looks if self.looks else None

    def decay(self, seconds: float) -> None:
        """Let so much time pass."""
        factor = 0.5 ** (seconds / HALF_LIFE)
        for counted in ("verified", "failed", "lies", "looks", "up"):
            setattr(self, counted, getattr(self, counted) * factor)


class _Entry:
    __slots__ = ("at", "measured")

    def __init__(self, at: float) -> None:
        self.measured = Measured()
        self.at = at


class Reputation:
    """Peers by their BitTorrent endpoint."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._peers: LRUCache[Endpoint, _Entry] = LRUCache(MAX_PEERS)
        self._shunned: TTLCache[Endpoint, bool] = TTLCache(MAX_PEERS, SHUNNED, clock)
        self._unreached: TTLCache[Endpoint, bool] = TTLCache(MAX_PEERS, UNREACHED, clock)

    def note_delivered(self, peer: Endpoint, length: int) -> None:
        """A peer has sent so many bytes, which were right."""
        self._decayed(peer).verified += length
        self._unreached.pop(peer, None)

    def note_lie(self, peer: Endpoint) -> None:
        """A peer has sent bytes of a torrent that was not what it was claimed to be."""
        self._decayed(peer).lies += 1
        self._shunned[peer] = True

    def note_failed(self, peer: Endpoint) -> None:
        """A peer has sent pieces of a torrent that were not of it."""
        self._decayed(peer).failed += 1
        self._shunned[peer] = True

    def note_right(self, senders: Mapping[Endpoint, int]) -> None:
        """What these have sent together, bytes by peer, was right."""
        for peer, length in senders.items():
            self.note_delivered(peer, length)

    def note_wrong(self, senders: Iterable[Endpoint]) -> None:
        """What these have sent together was wrong."""
        for peer in senders:
            self.note_lie(peer)

    def note_unreached(self, peers: Iterable[Endpoint]) -> None:
        """None of these peers could be reached."""
        for peer in peers:
            self._unreached[peer] = True

    def note_look(self, peer: Endpoint, latency: float | None) -> None:
        """It was seen whether a peer is there: its round trip in seconds, None when it is not. Nothing is noted of a
        peer that has sent nothing yet: strangers must not push out who has."""
        if peer not in self._peers:
            return
        measured = self._decayed(peer)
        measured.looks += 1
        if latency is not None:
            measured.up += 1
            measured.latency = latency

    def is_shunned(self, peer: Endpoint) -> bool:
        """Tell whether a peer is not to be asked, for it sent wrong bytes lately."""
        return peer in self._shunned

    def reachable(self, peers: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
        """Return those of these peers that may be asked, and could be reached lately as far as is known."""
        return tuple(peer for peer in peers if peer not in self._unreached and peer not in self._shunned)

    def rank(self, peer: Endpoint) -> float:
        """Return by what peers are ordered, the lowest first."""
        if peer not in self._peers:
            return 0.0
        measured = self._decayed(peer)
        uptime = 1.0 if measured.uptime is None else measured.uptime
        return (measured.lies + measured.failed) * _LIE - measured.verified * uptime

    def best(self, count: int) -> list[tuple[Endpoint, Measured]]:
        """Return so many peers with what is known of them, decayed to now, the best first."""
        found = [(peer, self._decayed(peer)) for peer in [*self._peers]]
        return sorted(found, key=lambda each: self.rank(each[0]))[:count]

    def restore(self, peer: Endpoint, measured: Measured, age: float) -> None:
        """Take up what was known of a peer `age` seconds ago, unless something newer is known."""
        if peer not in self._peers:
            entry = self._peers[peer] = _Entry(self._clock())
            entry.measured = measured
            measured.decay(age)

    def _decayed(self, peer: Endpoint) -> Measured:
        now = self._clock()
        entry = self._peers.get(peer)
        if entry is None:
            entry = self._peers[peer] = _Entry(now)
        if now - entry.at >= _MOMENT:
            entry.measured.decay(now - entry.at)
            entry.at = now
        return entry.measured
