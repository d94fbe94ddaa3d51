from hypothesis import given
from hypothesis import strategies as st

from libreseed.swarm.held import Held, HeldBlobs
from libreseed.trust.records import BlobRef

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=120)


def digest(number: int) -> bytes:
    return bytes([number]) * 64


def held(number: int) -> Held:
    return Held(BlobRef(bytes(20), bytes(32), 1, digest(number)), True, bytes(32))


@given(STEPS, st.sets(st.integers(0, 20), max_size=4))
def test_what_came_after_is_known_whatever_comes_and_goes(steps: list[tuple[bool, int]], asked: set[int]) -> None:
    blobs, order = HeldBlobs(), list[int]()
    for comes, number in steps:
        if comes:
            blobs[digest(number)] = held(number)
            if number not in order:
                order.append(number)
        elif number in order:
            del blobs[digest(number)]
            order.remove(number)
    assert [*blobs] == [*map(digest, order)]
    assert len(blobs) == len(order)
    after = [each.ref.sha512[0] for each in blobs.after(map(digest, asked))]
    first = min((order.index(number) for number in asked if number in order), default=len(order))
    assert sorted(after) == sorted({*order[first:]} - asked)
    if len(asked) == 1:
        assert after == [number for number in order[first:] if number not in asked]


def test_the_next_of_each_comes_first() -> None:
    blobs = HeldBlobs()
    for number in range(6):
        blobs[digest(number)] = held(number)
    assert [each.ref.sha512[0] for each in blobs.after([digest(0), digest(3)])] == [1, 4, 2, 5]
