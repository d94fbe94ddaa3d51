import pytest

from libreseed.swarm.reputation import HALF_LIFE, SHUNNED, UNREACHED, Reputation
from libreseed.trust.records import Endpoint
from support.clock import Clock

ONE: Endpoint = ("192.0.2.1", 1)
OTHER: Endpoint = ("192.0.2.2", 2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reputation(clock: Clock) -> Reputation:
    return Reputation(clock)


def test_who_delivered_most_is_first(reputation: Reputation) -> None:
    reputation.note_delivered(ONE, 10)
    reputation.note_delivered(OTHER, 20)
    reputation.note_lie(third := ("192.0.2.3", 3))
    unknown = ("192.0.2.4", 4)
    assert sorted([third, unknown, ONE, OTHER], key=reputation.rank) == [OTHER, ONE, unknown, third]


def test_what_was_delivered_counts_less_in_time(reputation: Reputation, clock: Clock) -> None:
    reputation.note_delivered(ONE, 100)
    clock.now = HALF_LIFE
    ((peer, record),) = reputation.best(9)
    assert (peer, record.verified) == (ONE, pytest.approx(50))


def test_a_liar_is_shunned_for_a_time(reputation: Reputation, clock: Clock) -> None:
    reputation.note_lie(ONE)
    assert (reputation.is_shunned(ONE), reputation.is_shunned(OTHER)) == (True, False)
    assert reputation.reachable([ONE, OTHER]) == (OTHER,)
    clock.now = SHUNNED
    assert not reputation.is_shunned(ONE)
    assert [record.lies for _, record in reputation.best(9)] == [pytest.approx(1, abs=0.01)]


def test_a_lie_counts_less_in_time(reputation: Reputation, clock: Clock) -> None:
    reputation.note_lie(ONE)
    clock.now = 2 * HALF_LIFE
    assert [record.lies for _, record in reputation.best(9)] == [pytest.approx(0.25)]


def test_what_is_taken_up_has_aged_and_gives_way_to_what_is_known(reputation: Reputation) -> None:
    reputation.note_delivered(ONE, 7)
    for peer in (ONE, OTHER):
        reputation.restore(peer, verified=100, lies=2, age=HALF_LIFE)
    assert [(peer, each.verified, each.lies) for peer, each in reputation.best(9)] == [(ONE, 7, 0), (OTHER, 50, 1)]


def test_who_could_not_be_reached_is_left_out_until_it_delivers(reputation: Reputation, clock: Clock) -> None:
    reputation.note_unreached([ONE, OTHER])
    assert reputation.reachable([ONE, OTHER]) == ()
    reputation.note_delivered(OTHER, 1)
    assert reputation.reachable([ONE, OTHER]) == (OTHER,)
    clock.now = UNREACHED
    assert reputation.reachable([ONE, OTHER]) == (ONE, OTHER)
