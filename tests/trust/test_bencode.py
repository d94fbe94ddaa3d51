import libtorrent as lt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.trust.bencode import Bencodable, decode, encode

integers = st.integers(-(1 << 63), (1 << 63) - 1)
values: st.SearchStrategy[Bencodable] = st.recursive(
    integers | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, b"i0e"),
        (-42, b"i-42e"),
        (b"", b"0:"),
        (b"spam", b"4:spam"),
        ([b"spam", 7], b"l4:spami7ee"),
        ({b"spam": b"eggs", b"cow": [b"moo"]}, b"d3:cowl3:mooe4:spam4:eggse"),
    ],
)
def test_known_encodings(value: Bencodable, encoded: bytes) -> None:
    assert encode(value) == encoded
    assert decode(encoded) == value


@given(values)
def test_round_trip(value: Bencodable) -> None:
    assert decode(encode(value)) == value


@given(st.dictionaries(st.binary(max_size=8), integers | st.binary(max_size=20), max_size=6))
def test_agrees_with_libtorrent(value: dict[bytes, Bencodable]) -> None:
    assert encode(value) == lt.bencode(value)


@given(st.binary(max_size=30) | st.text("ilde:-0123456789 ab", max_size=20).map(str.encode))
def test_what_is_accepted_is_canonical(data: bytes) -> None:
    """Whatever comes from a peer is either refused, or the one encoding of its value."""
    try:
        value = decode(data)
    except InvalidInputError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i1",
        b"ie",
        b"i01e",
        b"i-0e",
        b"i+1e",
        b"i 1e",
        b"i1_0e",
        b"i9223372036854775808e",
        b"i" + b"9" * 5000 + b"e",
        b"-1:a",
        b"01:a",
        b"2:a",
        b"1a",
        b"l",
        b"li1e",
        b"d1:a",
        b"d1:ai1e1:ai2ee",
        b"d1:bi1e1:ai2ee",
        b"di1ei2ee",
        b"i1ei2e",
        b"x",
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        decode(data)


def test_depth_is_bounded() -> None:
    assert decode(b"l" * 17 + b"e" * 17)
    with pytest.raises(InvalidInputError):
        decode(b"l" * 18 + b"e" * 18)
    with pytest.raises(InvalidInputError):
        decode(b"l" * 100_000)
