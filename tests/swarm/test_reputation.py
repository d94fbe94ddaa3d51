import pytest

from libreseed.swarm.reputation import HALF_LIFE, SHUNNED, UNREACHED, Measured, Reputation
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
        reputation.restore(peer, Measured(verified=100, lies=2, looks=8, up=4, latency=0.1), HALF_LIFE)
    assert (
        reputation.best(9)
        == [
            (OTHER, Measured(verified=50, lies=1, looks=4, up=2, latency=0.1)),
            (ONE, Measured(verified=7)),
        ][::-1]
    )


def test_who_could_not_be_reached_is_left_out_until_it_delivers(reputation: Reputation, clock: Clock) -> None:
    reputation.note_unreached([ONE, OTHER])
    assert reputation.reachable([ONE, OTHER]) == ()
    reputation.note_delivered(OTHER, 1)
    assert reputation.reachable([ONE, OTHER]) == (OTHER,)
    clock.now = UNREACHED
    assert reputation.reachable([ONE, OTHER]) == (ONE, OTHER)


def test_who_sent_wrong_pieces_is_shunned_and_asked_last(reputation: Reputation) -> None:
    reputation.note_delivered(ONE, 1 << 30)
    reputation.note_failed(ONE)
    assert reputation.is_shunned(ONE)
    assert reputation.rank(ONE) > reputation.rank(OTHER)


def test_who_is_there_more_often_is_asked_first(reputation: Reputation) -> None:
    for peer in (ONE, OTHER):
        reputation.note_delivered(peer, 100)
    for latency in (0.01, None, None, 0.02):
        reputation.note_look(ONE, latency)
    reputation.note_look(OTHER, 0.5)
    assert sorted([ONE, OTHER], key=reputation.rank) == [OTHER, ONE]
    measured = dict(reputation.best(9))
    assert [(measured[peer].uptime, measured[peer].latency) for peer in (ONE, OTHER)] == [(0.5, 0.02), (1.0, 0.5)]


def test_nothing_is_kept_of_a_stranger_who_is_there(reputation: Reputation) -> None:
    reputation.note_look(ONE, 0.01)
    assert reputation.best(9) == []
    reputation.note_delivered(ONE, 1)
    assert [each.uptime for _, each in reputation.best(9)] == [None]
