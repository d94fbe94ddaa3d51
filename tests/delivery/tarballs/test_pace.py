from libreseed.delivery.tarballs.pace import LOOK, WINDOW, Pace

RATE = 1e6


def holds(rates: list[float]) -> list[bool]:
    """Return what is told every LOOK seconds, while so many bytes a second come between."""
    pace, received, told = Pace(0, 0.0), 0.0, []
    for number, rate in enumerate(rates, start=1):
        received += rate * LOOK
        told.append(pace.holds(int(received), RATE, number * LOOK))
    return told


def test_who_is_quick_enough_goes_on() -> None:
    assert all(holds([RATE * 0.6] * 40))


def test_who_trickles_has_a_short_time() -> None:
    told = holds([RATE, *[10.0] * 40])
    assert told[: int(WINDOW / LOOK) - 1] == [True] * (int(WINDOW / LOOK) - 1)
    assert False in told[: int(2 * WINDOW / LOOK)]


def test_who_becomes_slow_later_is_noticed() -> None:
    told = holds([RATE * 10] * 20 + [10.0] * 20)
    assert all(told[:20])
    assert not told[-1]
