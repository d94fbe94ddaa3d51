import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ForbiddenError, InvalidInputError
from libreseed.network.overlay.claims import (
    LIFETIME,
    MAX_ANSWER,
    Claim,
    ClaimBook,
    ClaimLimits,
    HeldBlob,
    pack_self,
    read_blobs,
    read_claim,
)
from network.helpers import blob
from support.clock import Clock

PEER = ("10.0.0.1", 4881)


def book(clock: Clock | None = None, **limits: int) -> ClaimBook:
    return ClaimBook(bytes(20), ClaimLimits(**limits), clock or Clock())


def test_claim_is_read_as_it_was_announced() -> None:
    held, claims = blob(), book()
    claims.accept(held.target, held.pack_reference(), ("10.0.0.2", 80))
    (packed,) = claims.at(held.target)
    assert read_claim(packed, held.digest, PEER) == Claim(held.digest, held.v1, held.v2, held.length, ("10.0.0.2", 80))


def test_who_answers_for_itself_has_the_address_it_answers_from() -> None:
    held = blob()
    assert read_claim(pack_self(held.pack_reference(), 99), held.digest, PEER).endpoint == ("10.0.0.1", 99)


def test_ipv6() -> None:
    held, claims = blob(), book()
    claims.accept(held.target, held.pack_reference(), ("2001:db8::1", 80))
    assert read_claim(claims.at(held.target)[0], held.digest, ("::1", 1)).endpoint == ("2001:db8::1", 80)


@given(st.binary(max_size=100))
def test_malformed_claim(data: bytes) -> None:
    try:
        claim = read_claim(data, bytes(64), PEER)
    except InvalidInputError:
        return
    assert len(claim.v1) == 20
    assert len(claim.v2) == 32
    assert claim.length > 0


def test_claim_of_a_place_that_cannot_be_refused() -> None:
    reference = blob().pack_reference()
    for endpoint in (b"\x7f\0\0\1\0\x50", b"\x0a\0\0\2\0\0", b"\xe0\0\0\1\0\x50"):
        with pytest.raises(InvalidInputError):
            read_claim(reference + endpoint, bytes(64), PEER)


@pytest.mark.parametrize("size", [0, 1, 77, 79])
def test_malformed_announcement(size: int) -> None:
    with pytest.raises(InvalidInputError):
        list(read_blobs(bytes(size)))


def test_blob_of_wrong_sizes() -> None:
    with pytest.raises(InvalidInputError):
        HeldBlob(bytes(64), bytes(19), bytes(32), 1)
    with pytest.raises(InvalidInputError):
        HeldBlob(bytes(64), bytes(20), bytes(32), 0)


def test_claim_expires_unless_announced_again() -> None:
    clock = Clock()
    claims = book(clock)
    first, second = blob(), blob()
    for one in (first, second):
        claims.accept(one.target, one.pack_reference(), PEER)
    clock.now = LIFETIME / 2
    claims.accept(first.target, first.pack_reference(), PEER)
    clock.now = LIFETIME
    assert claims.at(first.target)
    assert not claims.at(second.target)
    assert len(claims) == 1


def test_last_claim_of_an_endpoint_stands() -> None:
    claims, held = book(), blob()
    for reference in (os.urandom(58), held.pack_reference()):
        claims.accept(held.target, reference, PEER)
    assert [packed[:58] for packed in claims.at(held.target)] == [held.pack_reference()]
    assert len(claims) == 1


def test_quota_of_an_address() -> None:
    claims = book(prefix=2)
    for _ in range(2):
        claims.accept(os.urandom(20), bytes(58), PEER)
    with pytest.raises(ForbiddenError):
        claims.accept(os.urandom(20), bytes(58), ("10.0.0.1", 9))
    claims.accept(os.urandom(20), bytes(58), ("10.0.0.2", 9))


def test_one_address_cannot_crowd_a_key() -> None:
    claims = book(key_prefix=2)
    claims.accept(bytes(20), bytes(58), ("10.0.0.9", 1))
    for port in range(1, 20):
        claims.accept(bytes(20), bytes(58), ("10.0.0.1", port))
    assert len(claims) == 3


def test_a_key_keeps_its_latest() -> None:
    claims = book(key=3)
    for number in range(1, 20):
        claims.accept(bytes(20), bytes([number]) * 58, (f"10.0.0.{number}", 1))
    assert [packed[0] for packed in claims.at(bytes(20))] == [19, 18, 17]


def test_answer_is_bounded() -> None:
    claims = book(key=100)
    for number in range(100):
        claims.accept(bytes(20), bytes(58), (f"10.0.0.{number}", 1))
    assert len(claims.at(bytes(20))) == MAX_ANSWER


def test_the_farthest_makes_room() -> None:
    claims = book(total=1)
    near, far = bytes(19) + b"\1", b"\xff" * 20
    claims.accept(far, bytes(58), PEER)
    claims.accept(near, bytes(58), PEER)
    assert claims.at(near)
    assert not claims.at(far)
    with pytest.raises(ForbiddenError):
        claims.accept(far, bytes(58), PEER)
