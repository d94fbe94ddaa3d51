"""Reading records out of many answers: each copy is one vote, checked on its own."""

import logging
from collections.abc import Callable, Iterable

from libreseed.errors import ExpiredError, TrustError
from libreseed.network.overlay.messages import Found
from libreseed.network.overlay.recordbook import Validator
from libreseed.network.overlay.routing import Peer
from libreseed.trust.items import SignedItem

log = logging.getLogger(__name__)


class RecordCollector:
    """The highest valid record of each publisher under one key text, and who lacked it."""

    def __init__(
        self,
        key_text: str,
        validator: Validator,
        now: float,
        evidence: Callable[[str, SignedItem, SignedItem], None],
    ) -> None:
        self._key_text = key_text
        self._validator = validator
        self._now = now
        self._evidence = evidence
        self._read: dict[bytes, SignedItem | None] = {}
        self._best: dict[bytes, SignedItem] = {}
        self._rivals: dict[bytes, SignedItem] = {}
        self._expired: set[bytes] = set()
        self._seen: dict[bytes, dict[bytes, int]] = {}

    @property
    def items(self) -> list[SignedItem]:
        """The best record of each publisher, expired ones included: that is for the caller to judge.

        A publisher that signed two with its highest seq is there with both: neither can be believed.
        """
        return [*self._best.values(), *self._rivals.values()]

    def count(self, values: Iterable[bytes], holder: str) -> dict[bytes, int]:
        """Take in the encoded items of one holder; return the seq that it has of each publisher."""
        seqs: dict[bytes, int] = {}
        for value in values:
            item = self._item(value, holder)
            if item:
                seqs[item.key] = max(item.seq, seqs.get(item.key, 0))
        return seqs

    def take(self, peer: Peer, found: Found) -> None:
        """Take in a peer's answer."""
        self._seen[peer.id] = self.count(found.values, str(peer))

    def stale(self, closest: Iterable[tuple[Peer, Found]]) -> list[tuple[SignedItem, list[tuple[Peer, bytes]]]]:
        """Return each record that is worth spreading, with the peers (and tokens) that had an older one or none."""
        lacking = []
        reached = [(peer, found) for peer, found in closest if found.token and found.whole and peer.id in self._seen]
        for item in self._best.values():
            if item.key in self._expired or item.key in self._rivals:
                continue
            peers = [(peer, found.token) for peer, found in reached if self._seen[peer.id].get(item.key, -1) < item.seq]
            if peers:
                lacking.append((item, peers))
        return lacking

    def _item(self, value: bytes, holder: str) -> SignedItem | None:
        if value not in self._read:
            self._read[value] = self._check(value, holder)
        return self._read[value]

    def _check(self, value: bytes, holder: str) -> SignedItem | None:
        expired = False
        try:
            item = SignedItem.decode(value)
            try:
                self._validator(self._key_text, item, self._now)
            except ExpiredError:
                expired = True
        except TrustError as error:
            log.info("A record in the answer of %s is refused: %s", holder, error)
            return None
        best = self._best.get(item.key)
        if best is None or item.seq > best.seq:
            self._best[item.key] = item
            self._rivals.pop(item.key, None)
            (self._expired.add if expired else self._expired.discard)(item.key)
        elif item.seq == best.seq and item.value != best.value:
            self._rivals.setdefault(item.key, item)
            self._evidence(self._key_text, best, item)
        return item
