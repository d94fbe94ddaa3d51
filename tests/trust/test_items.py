from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import BadRecordError, BadSignatureError
from libreseed.trust import bencode
from libreseed.trust.items import MAX_SEQ, SignedItem, salt_for, sign_item, signed_bytes
from libreseed.trust.keys import PrivateKey

# BEP 44, "Test vectors", 1 and 2
KEY = bytes.fromhex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
VALUE = b"12:Hello World!"
PLAIN = SignedItem(
    KEY,
    b"",
    1,
    VALUE,
    bytes.fromhex(
        "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
        "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01"
    ),
)
SALTED = SignedItem(
    KEY,
    b"foobar",
    1,
    VALUE,
    bytes.fromhex(
        "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
        "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08"
    ),
)
OWN = PrivateKey(bytes(range(32)))


def test_bep_44_vectors() -> None:
    assert signed_bytes(b"", 1, VALUE) == b"3:seqi1e1:v12:Hello World!"
    assert signed_bytes(b"foobar", 1, VALUE) == b"4:salt6:foobar3:seqi1e1:v12:Hello World!"
    PLAIN.check()
    SALTED.check()
    assert PLAIN.target.hex() == "4a533d47ec9c7d95b1ad75f576cffc641853b750"
    assert SALTED.target.hex() == "411eba73b6f087ca51a3795d9c8c938d365e32c1"


@pytest.mark.parametrize(
    "change",
    [
        {"salt": b""},
        {"salt": b"foobaz"},
        {"seq": 2},
        {"value": b"12:Hello World?"},
        {"key": OWN.public},
        {"signature": PLAIN.signature},
    ],
)
def test_each_signed_field_counts(change: dict[str, object]) -> None:
    with pytest.raises(BadSignatureError):
        replace(SALTED, **change).check()


@pytest.mark.parametrize(
    "change",
    [
        {"salt": bytes(65)},
        {"seq": -1},
        {"seq": MAX_SEQ + 1},
        {"value": b""},
        {"value": b"998:" + bytes(997)},
        {"key": KEY + b"\0"},
        {"signature": bytes(63)},
    ],
)
def test_sizes_over_the_limits_of_bep_44(change: dict[str, object]) -> None:
    """Each is correctly signed, where that is possible: it is the size that is refused."""
    item = replace(SALTED, **change)
    if "key" not in change and "signature" not in change:
        signature = OWN.sign(signed_bytes(item.salt, item.seq, item.value))
        item = replace(item, key=OWN.public, signature=signature)
    with pytest.raises(BadRecordError):
        item.check()


def test_what_is_too_large_is_not_even_signed() -> None:
    sign_item(OWN, bytes(64), MAX_SEQ, bencode.encode(bytes(996)))
    with pytest.raises(BadRecordError):
        sign_item(OWN, b"", 1, bencode.encode(bytes(997)))


@given(st.binary(max_size=64), st.integers(0, MAX_SEQ), st.binary(max_size=900).map(bencode.encode))
def test_round_trip(salt: bytes, seq: int, value: bytes) -> None:
    item = sign_item(OWN, salt, seq, value)
    assert SignedItem.decode(item.encode()) == item
    SignedItem.decode(item.encode()).check()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"le",
        b"d1:k0:e",
        bencode.encode({b"k": KEY, b"salt": b"", b"seq": b"1", b"sig": bytes(64), b"v": VALUE}),
        PLAIN.encode() + b"e",
    ],
)
def test_malformed_items(data: bytes) -> None:
    with pytest.raises(BadRecordError):
        SignedItem.decode(data)


def test_salts() -> None:
    assert salt_for("libreseed:@babel/core") == b"libreseed:@babel/core"
    assert salt_for("libreseed:" + "a" * 54) == b"libreseed:" + b"a" * 54
    long = salt_for("libreseed:" + "a" * 55)
    assert len(long) == 64
    assert long != salt_for("libreseed:" + "a" * 56)
