from hypothesis import given
from hypothesis import strategies as st

from libreseed.swarm.shares import first_share

SMALL = st.integers(1, 40)


@given(SMALL, SMALL, st.integers(0, 1000))
def test_those_who_ask_the_holder_share_the_whole(direct: int, count: int, pieces: int) -> None:
    shares = [first_share(number, direct, count, pieces) for number in range(count)]
    covered = [piece for share in shares for piece in share]
    assert covered == ([*range(pieces)] if min(direct, count) > 1 else [])
    assert all(not share for share in shares[direct:])


def test_two_take_a_half_each() -> None:
    assert [first_share(number, 2, 8, 10) for number in range(3)] == [range(5), range(5, 10), range(0)]
