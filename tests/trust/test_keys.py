import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import BadSignatureError, InvalidInputError
from libreseed.trust.keys import PrivateKey, format_key, parse_key, verify

# RFC 8032, 7.1, test 2
SEED = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_rfc_8032_vector() -> None:
    key = PrivateKey.parse(f" {SEED}\n")
    assert key.public == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    verify(PUBLIC, b"\x72", SIGNATURE)


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (PUBLIC, b"\x73", SIGNATURE),
        (PUBLIC, b"\x72", SIGNATURE[:-1] + b"\x01"),
        (PUBLIC, b"\x72", SIGNATURE[:-1]),
        (PUBLIC, b"\x72", b""),
        (PUBLIC[:-1], b"\x72", SIGNATURE),
        (bytes(32), b"\x72", SIGNATURE),
    ],
)
def test_wrong_signatures_are_refused(public: bytes, message: bytes, signature: bytes) -> None:
    with pytest.raises(BadSignatureError):
        verify(public, message, signature)


@given(st.binary(min_size=32, max_size=32))
def test_key_text_round_trip(public: bytes) -> None:
    assert parse_key(format_key(public)) == public
    assert parse_key(public.hex()) == public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:",
        format_key(PUBLIC).upper(),
        f"rsa:{PUBLIC.hex()}",
        PUBLIC.hex()[:-2],
        PUBLIC.hex() + "00",
        "é" * 64,
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_key(text)


@pytest.mark.parametrize("text", ["", SEED[:-1], SEED + "00", "secret" * 11])
def test_a_bad_private_key_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        PrivateKey.parse(text)
    assert not text or text not in str(caught.value)


def test_a_private_key_does_not_show_itself() -> None:
    assert SEED not in repr(PrivateKey.parse(SEED))
    assert PrivateKey.generate() != PrivateKey.generate()
