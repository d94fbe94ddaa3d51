import time

from libreseed.network.overlay.messages import Found
from libreseed.network.overlay.record_collector import RecordCollector
from libreseed.network.overlay.recordbook import validate_package
from libreseed.network.overlay.routing import Peer
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import PrivateKey
from network.helpers import record_of

KEY = "libreseed:lodash"


class Case:
    def __init__(self) -> None:
        self.evidence: list[tuple[str, SignedItem, SignedItem]] = []
        self.collector = RecordCollector(
            KEY, validate_package, time.time(), lambda *evidence: self.evidence.append(evidence)
        )
        self.closest: list[tuple[Peer, Found]] = []

    def answer(self, *values: bytes, token: bytes = b"token") -> Peer:
        peer = Peer(bytes([len(self.closest)]) * 20, "127.0.0.1", 1)
        found = Found(token, [], list(values))
        self.collector.take(peer, found)
        self.closest.append((peer, found))
        return peer

    def stale(self) -> dict[SignedItem, list[Peer]]:
        return {item: [peer for peer, _ in lacking] for item, lacking in self.collector.stale(self.closest)}


def test_the_newest_of_each_publisher_wins() -> None:
    case, key = Case(), PrivateKey.generate()
    old, new, other = record_of(key=key, seq=1), record_of(key=key, seq=2), record_of()
    for item in (old, new, old, other, old):
        case.answer(item.encode())
    assert case.collector.items == [new, other]


def test_who_lacks_it_is_to_be_repaired() -> None:
    case, key = Case(), PrivateKey.generate()
    old, new = record_of(key=key, seq=1), record_of(key=key, seq=2)
    behind = case.answer(old.encode())
    case.answer(new.encode())
    empty = case.answer()
    case.answer(token=b"")
    assert case.stale() == {new: [behind, empty]}


def test_invalid_copies_count_for_nothing() -> None:
    case, item = Case(), record_of()
    forged = SignedItem(item.key, item.salt, item.seq + 1, item.value, item.signature)
    case.answer(b"garbage", record_of("left-pad").encode(), forged.encode(), item.encode())
    assert case.collector.items == [item]


def test_expired_is_returned_but_not_spread() -> None:
    case, item = Case(), record_of(expiry=-10)
    case.answer(item.encode())
    case.answer()
    assert case.collector.items == [item]
    assert not case.stale()


def test_equivocation_is_evidence() -> None:
    case, key = Case(), PrivateKey.generate()
    first, second = (record_of(key=key, seq=1, length=length) for length in (1, 2))
    case.answer(first.encode())
    case.answer(second.encode())
    assert case.collector.items == [first, second]
    assert case.evidence == [(KEY, first, second)]
    third = record_of(key=key, seq=2)
    case.answer(third.encode())
    assert case.collector.items == [third]


def test_answer_that_was_cut_is_not_repaired() -> None:
    case, item = Case(), record_of()
    case.answer(*(record_of().encode() for _ in range(14)))
    case.answer(item.encode())
    assert case.closest[0][0] not in case.stale().get(item, [])
