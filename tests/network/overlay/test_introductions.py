import pytest

from libreseed.network.overlay import introductions
from libreseed.network.overlay.introductions import LIFETIME, MAX_TOLD, Introduction, Introductions
from libreseed.trust.records import Endpoint

KEY = bytes(20)


def host(number: int) -> Endpoint:
    return ("192.0.2.1", number)


def test_each_learns_of_those_before() -> None:
    book = Introductions()
    met = [book.introduce(KEY, host(number)) for number in range(1, 4)]
    assert met == [
        Introduction(0, 1),
        Introduction(1, 2, (host(1),)),
        Introduction(2, 3, (host(2), host(1))),
    ]


def test_who_asks_again_keeps_its_number() -> None:
    book = Introductions()
    for number in (1, 2, 1):
        met = book.introduce(KEY, host(number))
    assert met == Introduction(0, 2, (host(2),))


def test_other_things_are_apart() -> None:
    book = Introductions()
    book.introduce(KEY, host(1))
    assert book.introduce(bytes(32), host(2)) == Introduction(0, 1)
    assert (book.count_others(KEY, host(2)), book.count_others(KEY, host(1))) == (1, 0)


def test_who_has_not_asked_for_long_is_forgotten_and_its_number_free() -> None:
    now = 0.0
    book = Introductions(lambda: now)
    book.introduce(KEY, host(1))
    now = LIFETIME * 0.75
    book.introduce(KEY, host(2))
    now = LIFETIME * 1.5
    assert book.introduce(KEY, host(3)) == Introduction(0, 2, (host(2),))


def test_who_is_not_to_be_named_is_told_of_others() -> None:
    book = Introductions()
    book.introduce(KEY, host(1))
    assert book.introduce(KEY, None) == Introduction(1, 2, (host(1),))
    assert book.count_others(KEY, None) == 1


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introductions, "MAX_KEYS", 2)
    monkeypatch.setattr(introductions, "MAX_ASKERS", MAX_TOLD + 1)
    book = Introductions()
    for number in range(MAX_TOLD + 9):
        met = book.introduce(KEY, host(number))
    assert (met.count, len(met.peers)) == (MAX_TOLD + 1, MAX_TOLD)
    for key in (b"one", b"other"):
        book.introduce(key, host(1))
    assert book.count_others(KEY, None) == 0, "the one asked for longest ago made room"


def test_a_number_is_below_the_count_when_those_before_have_ceased_to_count() -> None:
    now = 0.0
    book = Introductions(lambda: now)
    book.introduce(KEY, host(1))
    book.introduce(KEY, host(2))
    now = LIFETIME * 0.75
    assert book.introduce(KEY, host(3)).number == 2
    now = LIFETIME * 1.5
    assert book.introduce(KEY, host(3)) == Introduction(0, 1), "else no node would read the answer"
