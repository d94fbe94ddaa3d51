"""The holder is asked too exactly when the others do not deliver."""

from libreseed.swarm.reserve import BEHIND, CONNECT, EMPTY, FINISHED, SILENT, TURN, Need, Progress, Reserve

NUMBER = 3
STEP = 0.05


def first_need(progress: list[Progress]) -> Need | None:
    """Return what is found at the first of these moments, one each 50 ms."""
    reserve = Reserve(NUMBER, 0.0)
    for at, each in enumerate(progress, start=1):
        if (need := reserve.need(each, at * STEP)) is not None:
            return need
    return None


def steps(seconds: float) -> int:
    return int(seconds / STEP) + 2


def test_as_long_as_it_has_what_they_have_it_waits() -> None:
    moments = [Progress(peers=2, received=at * 100, pieces=at, most=at) for at in range(steps(TURN * NUMBER) - 4)]
    assert first_need(moments) is None


def test_nobody_is_connected() -> None:
    nobody = Progress(peers=0, received=0, pieces=0, most=0)
    assert first_need([nobody] * (steps(CONNECT) - 3)) is None
    assert first_need([nobody] * steps(CONNECT)) is Need.UNREACHED


def test_to_be_behind_by_less_than_that_is_no_need() -> None:
    """Pieces pass from one host to the next."""
    lag = int(BEHIND / STEP) - 2
    moments = [
        Progress(peers=2, received=at + 1, pieces=max(at - lag, 0) * 10, most=at * 10) for at in range(steps(TURN))
    ]
    assert first_need(moments) is None


def test_they_have_what_does_not_come() -> None:
    moments = [Progress(peers=2, received=at, pieces=at, most=400) for at in range(steps(BEHIND))]
    assert first_need(moments) is Need.BEHIND


def test_nothing_comes() -> None:
    assert first_need([Progress(peers=2, received=100, pieces=4, most=4)] * steps(SILENT)) is Need.SILENT


def test_nothing_comes_while_they_have_nothing_themselves() -> None:
    nothing = Progress(peers=2, received=0, pieces=0, most=0)
    assert first_need([nothing] * (steps(EMPTY) - 4)) is None
    assert first_need([nothing] * steps(EMPTY)) is Need.SILENT


def test_they_have_no_more_and_one_is_finished() -> None:
    """Who came before has as long to ask first: it gives to the others then."""
    moments = [
        Progress(peers=2, received=at, pieces=6, most=6, exhausted=True) for at in range(steps(FINISHED * NUMBER))
    ]
    assert first_need(moments[: -(steps(FINISHED) - 1)]) is None
    assert first_need(moments) is Need.FINISHED


def test_its_turn_comes() -> None:
    moments = [Progress(peers=2, received=at * 100, pieces=at, most=at) for at in range(steps(TURN * NUMBER))]
    assert first_need(moments) is Need.TURN
