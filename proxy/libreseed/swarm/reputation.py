"""What this node has measured of others: who delivers, who has lied, and who cannot be reached.

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

_LIE = 1e12
"""Bytes that would have to be delivered to make good for one lie."""


@dataclass(slots=True)
class PeerRecord:
    """What is known of one peer: verified bytes, and how often it lied, both decayed to `at` (seconds of the clock)."""

    verified: float = 0.0
    lies: float = 0.0
    at: float = 0.0


class Reputation:
    """Peers by their BitTorrent endpoint."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._peers: LRUCache[Endpoint, PeerRecord] = LRUCache(MAX_PEERS)
        self._shunned: TTLCache[Endpoint, bool] = TTLCache(MAX_PEERS, SHUNNED, clock)
        self._unreached: TTLCache[Endpoint, bool] = TTLCache(MAX_PEERS, UNREACHED, clock)

    def note_delivered(self, peer: Endpoint, length: int) -> None:
        """A peer has sent so many bytes, which were right."""
        record = self._decayed(peer)
        record.verified += length
        self._unreached.pop(peer, None)

    def note_lie(self, peer: Endpoint) -> None:
        """A peer has sent bytes of a torrent that was not what it was claimed to be."""
        self._decayed(peer).lies += 1
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
        record = self._decayed(peer)
        return record.lies * _LIE - record.verified

    def best(self, count: int) -> list[tuple[Endpoint, PeerRecord]]:
        """Return so many peers with what is known of them, decayed to now, the best first."""
        found = [(peer, self._decayed(peer)) for peer in [*self._peers]]
        return sorted(found, key=lambda each: self.rank(each[0]))[:count]

    def restore(self, peer: Endpoint, *, verified: float, lies: float, age: float) -> None:
        """Take up what was known of a peer `age` seconds ago, unless something newer is known."""
        if peer not in self._peers and age >= 0:
            factor = 0.5 ** (age / HALF_LIFE)
            self._peers[peer] = PeerRecord(verified * factor, lies * factor, self._clock())

    def _decayed(self, peer: Endpoint) -> PeerRecord:
        now = self._clock()
        record = self._peers.get(peer)
        if record is None:
            record = self._peers[peer] = PeerRecord(at=now)
        factor = 0.5 ** ((now - record.at) / HALF_LIFE)
        record.verified *= factor
        record.lies *= factor
        record.at = now
        return record
