import pytest

from libreseed.network.udp.round_trips import MAX_TIMEOUT, MIN_TIMEOUT, SILENCE, RoundTrips
from support.clock import Clock

NEAR = ("127.0.0.1", 1)


def test_first_timeout_depends_on_how_far_the_address_is() -> None:
    trips = RoundTrips()
    assert trips.timeout(NEAR) == pytest.approx(0.1)
    assert trips.timeout(("8.8.8.8", 1)) == pytest.approx(0.5)


def test_timeout_follows_what_was_measured() -> None:
    trips = RoundTrips()
    for _ in range(50):
        trips.answered(NEAR, 0.4)
    assert 0.4 < trips.timeout(NEAR) < 0.5
    trips.answered(NEAR, 1.2)
    assert trips.timeout(NEAR) > 1


def test_timeout_has_bounds() -> None:
    trips = RoundTrips()
    for _ in range(50):
        trips.answered(NEAR, 0.0001)
    assert trips.timeout(NEAR) == MIN_TIMEOUT
    trips.answered(NEAR, 30)
    assert trips.timeout(NEAR) == MAX_TIMEOUT


def test_silence_ends_with_an_answer_or_with_time() -> None:
    clock = Clock()
    trips = RoundTrips(clock)
    trips.silent(NEAR)
    assert trips.is_silent(NEAR)
    trips.heard(NEAR)
    assert not trips.is_silent(NEAR)
    trips.silent(NEAR)
    trips.answered(NEAR, 0.1)
    assert not trips.is_silent(NEAR)
    trips.silent(NEAR)
    clock.now = SILENCE
    assert not trips.is_silent(NEAR)


def test_memory_is_bounded() -> None:
    trips = RoundTrips()
    addresses = [("127.0.0.1", port) for port in range(10_000)]
    for address in addresses:
        trips.answered(address, 0.1)
    known = [address for address in addresses if trips.timeout(address) != RoundTrips().timeout(address)]
    assert known == addresses[-4096:]
