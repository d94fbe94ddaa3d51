import time

import pytest

from libreseed.errors import (
    BadRecordError,
    BadSignatureError,
    EquivocationError,
    ExpiredError,
    FastForwardError,
    ForbiddenError,
    RollbackError,
    WrongNameError,
)
from libreseed.network.overlay.recordbook import RecordBook, RecordLimits, target_of, validate_package
from libreseed.trust.items import SignedItem, sign_item
from libreseed.trust.keys import PrivateKey
from network.helpers import record_of

KEY = "libreseed:lodash"


class Told:
    def __init__(self, limits: RecordLimits | None = None) -> None:
        self.saved: list[tuple[str, SignedItem]] = []
        self.removed: list[tuple[str, bytes]] = []
        self.evidence: list[tuple[str, SignedItem, SignedItem]] = []
        self.book = RecordBook(
            bytes(20),
            validate_package,
            saved=lambda *saved: self.saved.append(saved),
            removed=lambda *removed: self.removed.append(removed),
            evidence=lambda *evidence: self.evidence.append(evidence),
            limits=limits,
        )

    def take(self, item: SignedItem, key_text: str = KEY, sender: str | None = "192.0.2.1") -> None:
        self.book.accept(key_text, item, time.time(), sender)

    def items(self, key_text: str = KEY) -> list[SignedItem]:
        return [held.item for held in self.book.at(target_of(key_text))]


def test_record_is_kept_and_saved() -> None:
    told, item = Told(), record_of()
    told.take(item)
    assert told.items() == [item]
    assert told.saved == [(KEY, item)]


def test_each_publisher_has_a_record() -> None:
    told = Told()
    items = [record_of() for _ in range(3)]
    for item in items:
        told.take(item)
    assert told.items() == items


def test_newer_replaces_older() -> None:
    told, key = Told(), PrivateKey.generate()
    for seq in (1, 2):
        told.take(record_of(key=key, seq=seq))
    assert [item.seq for item in told.items()] == [2]
    assert len(told.book) == 1


def test_announced_again_is_not_written_again() -> None:
    told, item = Told(), record_of()
    told.take(item)
    told.take(item)
    assert len(told.saved) == 1


def refused(told: Told, item: SignedItem, error: type[Exception], key_text: str = KEY) -> None:
    before = told.items()
    with pytest.raises(error):
        told.take(item, key_text)
    assert told.items() == before


def test_rollback_refused() -> None:
    told, key = Told(), PrivateKey.generate()
    told.take(record_of(key=key, seq=5))
    refused(told, record_of(key=key, seq=4), RollbackError)


def test_equivocation_refused_and_kept_as_evidence() -> None:
    told, key = Told(), PrivateKey.generate()
    first, second = (record_of(key=key, seq=5, length=length) for length in (1, 2))
    told.take(first)
    refused(told, second, EquivocationError)
    assert told.evidence == [(KEY, first, second)]


def test_fast_forward_refused() -> None:
    refused(Told(), record_of(seq=int((time.time() + 3600) * 1000)), FastForwardError)


def test_what_was_taken_while_the_clock_was_ahead_counts_for_nothing() -> None:
    told, key, now = Told(), PrivateKey.generate(), time.time()
    ahead, item = record_of(key=key, seq=int((now + 86400) * 1000), expiry=2 * 86400), record_of(key=key)
    told.book.accept(KEY, ahead, now + 86400, None)
    told.take(item)
    assert told.items() == [item]


def test_wrong_name_refused() -> None:
    refused(Told(), record_of("left-pad"), WrongNameError)
    refused(Told(), record_of(), WrongNameError, "lodash")


def test_bad_signature_refused() -> None:
    item = record_of()
    refused(Told(), SignedItem(item.key, item.salt, item.seq + 1, item.value, item.signature), BadSignatureError)


def test_unknown_type_refused() -> None:
    refused(Told(), sign_item(PrivateKey.generate(), b"libreseed:lodash", 1, b"5:hello"), BadRecordError)


def test_expired_refused() -> None:
    refused(Told(), record_of(expiry=-86400), ExpiredError)


def test_quota_of_a_publisher() -> None:
    told, key = Told(RecordLimits(publisher=2)), PrivateKey.generate()
    told.take(record_of("a", key), "libreseed:a")
    told.take(record_of("b", key), "libreseed:b")
    refused(told, record_of("c", key), ForbiddenError, "libreseed:c")
    told.take(record_of("c"), "libreseed:c")


def test_quota_of_an_address() -> None:
    told = Told(RecordLimits(prefix=1))
    told.take(record_of("a"), "libreseed:a")
    refused(told, record_of("b"), ForbiddenError, "libreseed:b")
    told.take(record_of("b"), "libreseed:b", "192.0.2.2")
    told.take(record_of("c"), "libreseed:c", None)


def test_quota_of_a_name() -> None:
    told = Told(RecordLimits(key=2))
    told.take(record_of())
    told.take(record_of(), sender="192.0.2.2")
    with pytest.raises(ForbiddenError):
        told.take(record_of(), sender="192.0.2.3")


def test_one_address_cannot_crowd_a_name() -> None:
    told = Told(RecordLimits(key_prefix=2))
    told.take(record_of())
    told.take(record_of())
    refused(told, record_of(), ForbiddenError)
    told.take(record_of(), sender="192.0.2.2")


def test_quota_is_free_again_after_removal() -> None:
    told, key = Told(RecordLimits(publisher=1, prefix=1, key=1, key_prefix=1)), PrivateKey.generate()
    told.take(record_of(key=key))
    told.book.remove(next(iter(told.book)))
    assert told.removed == [(KEY, key.public)]
    assert len(told.book) == 0
    told.take(record_of(key=key))


def by_distance(count: int) -> list[str]:
    return sorted((f"p{n}" for n in range(count)), key=lambda name: target_of(f"libreseed:{name}"))


def test_the_farthest_makes_room() -> None:
    names = by_distance(40)
    near, far = names[0], names[-1]
    told = Told(RecordLimits(total=1))
    told.take(record_of(far), f"libreseed:{far}")
    told.take(record_of(near), f"libreseed:{near}")
    assert not told.items(f"libreseed:{far}")
    refused(told, record_of(far), ForbiddenError, f"libreseed:{far}")
    assert len(told.book) == 1


def test_our_own_never_makes_room() -> None:
    names = by_distance(40)
    near, far = names[0], names[-1]
    told = Told(RecordLimits(total=1))
    told.take(record_of(far), f"libreseed:{far}")
    told.take(told.items(f"libreseed:{far}")[0], f"libreseed:{far}", None)
    with pytest.raises(ForbiddenError):
        told.take(record_of(near), f"libreseed:{near}")
    assert told.items(f"libreseed:{far}")


def test_only_strangers_records_of_the_farthest_name_make_room() -> None:
    names = by_distance(40)
    near, far = names[0], names[-1]
    told, own = Told(RecordLimits(total=2)), record_of(far)
    told.take(own, f"libreseed:{far}", None)
    told.take(record_of(far), f"libreseed:{far}")
    told.take(record_of(near), f"libreseed:{near}")
    assert told.items(f"libreseed:{far}") == [own]
