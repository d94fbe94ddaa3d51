import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.accounts.totp import STEP, code_at, matching_step, new_recovery_codes, new_secret, otpauth_url

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(SECRET, seconds // STEP, 8) == code
    assert code_at(SECRET, seconds // STEP) == code[-6:]


@given(st.binary(min_size=20, max_size=20), st.integers(1000, 10**9), st.integers(-1, 1))
def test_clocks_may_be_one_step_apart(secret: bytes, step: int, drift: int) -> None:
    found = matching_step(secret, code_at(secret, step + drift), step * STEP + 7.5)
    assert found is not None
    assert code_at(secret, found) == code_at(secret, step + drift)


def test_other_codes() -> None:
    now = 1_000_000 * STEP
    for code in ("", "12345", code_at(SECRET, 1_000_000 - 2), code_at(SECRET, 1_000_000 + 2), "é" * 6):
        assert matching_step(SECRET, code, now) is None


def test_what_an_app_reads() -> None:
    secret = new_secret()
    assert secret != new_secret()
    url = urlsplit(otpauth_url(secret, "ann"))
    assert (url.scheme, url.netloc, url.path) == ("otpauth", "totp", "/LibreSeed%3Aann")
    assert base64.b32decode(parse_qs(url.query)["secret"][0]) == secret


def test_recovery_codes_are_what_npm_lets_one_enter() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 5
    assert all(len(code) == 64 and int(code, 16) >= 0 for code in codes)
