import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.packages.integrity import content_key, format_integrity, parse_integrity, sha512

# FIPS 180-2, C.1: SHA-512 of "abc"
ABC = bytes.fromhex(
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
)
TEXT = "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="


def test_known_digest() -> None:
    assert sha512(b"abc") == ABC
    assert format_integrity(ABC) == TEXT
    assert parse_integrity(TEXT) == ABC
    assert content_key(ABC) == "libreseed:sha512-" + ABC.hex()


@given(st.binary(min_size=64, max_size=64))
def test_round_trip(digest: bytes) -> None:
    assert parse_integrity(format_integrity(digest)) == digest


def test_sha512_is_found_among_others() -> None:
    weak = "sha1-" + base64.b64encode(hashlib.sha1(b"abc", usedforsecurity=False).digest()).decode()
    assert parse_integrity(f"  {weak}\t{TEXT}?some-option  ") == ABC


@pytest.mark.parametrize("text", ["", "   ", "sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "md5-x sha256-y", "SHA512-x"])
def test_weak_hashes_decide_nothing(text: str) -> None:
    assert parse_integrity(text) is None


@pytest.mark.parametrize(
    "text",
    ["sha512", "sha512-", "sha512-AAAA", TEXT[:-4], TEXT[:-2] + "*=", TEXT + "AAAA", "sha512-é", f"sha512-x {TEXT}"],
)
def test_broken_sha512(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_integrity(text)
