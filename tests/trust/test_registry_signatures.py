import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import BadSignatureError, InvalidInputError
from libreseed.trust.registry_signatures import MAX_KEYS, MAX_SIGNATURES, RegistryKey, check_signature, read_keys
from support.signing import RegistrySigner

KEYID = "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA"
DOCUMENT = {
    "keys": [
        {
            "expires": None,
            "keyid": KEYID,
            "keytype": "ecdsa-sha2-nistp256",
            "scheme": "ecdsa-sha2-nistp256",
            "key": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp"
            "+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==",
        }
    ]
}
VECTORS = [
    (
        "kms-demo",
        "1.0.0",
        "sha512-QqZ7VJ/8xPkS9s2IWB7Shj3qTJdcRyeXKbPQnsZjsPEwvutGv0EGeVchPcauoiDFJlGbZMFq5GDCurAGNSghJQ==",
        "MEUCIDrLNspFeU5NZ6d55ycVBZIMXnPJi/XnI1Y2dlJvK8P1AiEAnXjn1IOMUd+U7YfPH+FNjwfLq+jCwfH8uaxocq+mpPk=",
    ),
    (
        "sigstore",
        "1.0.0",
        "sha512-e+qfbn/zf1+rCza/BhIA//Awmf0v1pa5HQS8Xk8iXrn9bgytytVLqYD0P7NSqZ6IELTgq+tcDvLPkQjNHyWLNg==",
        "MEQCIBlpcHT68iWOpx8pJr3WUzD1EqQ7tb0CmY36ebbceR6IAiAVGRaxrFoyh0/5B7H1o4VFhfsHw9F8G+AxOZQq87q+lg==",
    ),
    (
        "tuf-js",
        "1.0.0",
        "sha512-1dxsQwESDzACJjTdYHQ4wJ1f/of7jALWKfJEHSBWUQB/5UTJUx9SW6GHXp4mZ1KvdBRJCpGjssoPFGi4hvw8/A==",
        "MEYCIQDgGQeY2QLkLuoO9YxOqFZ+a6zYuaZpXhc77kUfdCUXDQIhAJp/vV+9Xg1bfM5YlTvKIH9agUEOu5T76+tQaHY2vZyO",
    ),
    (
        "node-fetch",
        "1.7.1",
        "sha512-j8XsFGCLw79vWXkZtMSmmLaOk9z5SQ9bV/tkbZVCqvgwzrjAGq66igobLofHtF63NvMTp2WjytpsNTGKa+XRIQ==",
        "MEYCIQDEn2XrrMXlRm+wh2tOIUyb0Km3ZujfT+6Mf61OXGK9zQIhANnPauUwx3N9RcQYQakDpOmLvYzNkySh7fmzmvyhk21j",
    ),
    (
        "async",
        "2.5.0",
        "sha512-e+lJAJeNWuPCNyxZKOBdaJGyLGHugXVQtrAwtuAe2vhxTYxFTKE73p8JuTmdH0qdQZtDvI4dhJwjZc5zsfIsYw==",
        "MEUCIQCM8cX2U3IVZKKhzQx1w5AlNSDUI+fVf4857K1qT0NTNgIgdT4qwEl/kg2vU1uIWUI0bGikRvVHCHlRs1rgjPMpRFA=",
    ),
    (
        "@npmcli/arborist",
        "1.0.14",
        "sha512-caa8hv5rW9VpQKk6tyNRvSaVDySVjo9GkI7Wj/wcsFyxPm3tYrEsFyTjSnJH8HCIfEGVQNjqqKXaXLFVp7UBag==",
        "MEUCIAvNpR3G0j7WOPUuVMhE0ZdM8PnDNcsoeFD8Iwz9YWIMAiEAn8cicDC2Sf9MFQydqTv6S5XYsAh9Af1sig1nApNI11M=",
    ),
]
"""Signatures that npm's registry has made, from npm's own tests of `npm audit signatures`."""


def signed(integrity: str, *signatures: object) -> dict[str, Any]:
    return {"dist": {"integrity": integrity, "signatures": list(signatures)}}


@pytest.mark.parametrize(("name", "version", "integrity", "sig"), VECTORS)
def test_npms_own_signatures(name: str, version: str, integrity: str, sig: str) -> None:
    keys = read_keys(DOCUMENT)
    entry = {"keyid": KEYID, "sig": sig}
    assert check_signature(name, version, signed(integrity, entry), None, keys) == "verified"
    other = integrity.replace("==", "AA")
    for wrong in [(name, version, other), (name, "1.0.1", integrity), (f"{name}s", version, integrity)]:
        with pytest.raises(BadSignatureError, match=f"{wrong[0]}@{wrong[1]} is wrong"):
            check_signature(wrong[0], wrong[1], signed(wrong[2], entry), None, keys)


def test_what_is_not_signed_or_not_by_these_keys() -> None:
    keys = read_keys(DOCUMENT)
    assert check_signature("a", "1.0.0", {"dist": {"integrity": "x"}}, None, keys) == "unsigned"
    assert check_signature("a", "1.0.0", signed("x"), None, keys) == "unsigned"
    stranger = RegistrySigner().signature("a", "1.0.0", "x")
    assert check_signature("a", "1.0.0", signed("x", stranger), None, keys) == "unknown key"
    assert check_signature("a", "1.0.0", signed("x", stranger), None, ()) == "unknown key"


def test_every_signature_by_a_known_key_must_be_right() -> None:
    one, two = RegistrySigner("one"), RegistrySigner("two")
    keys = read_keys({"keys": [one.entry(), two.entry()]})
    good, bad = one.signature("a", "1.0.0", "x"), two.signature("a", "1.0.0", "y")
    assert check_signature("a", "1.0.0", signed("x", good, RegistrySigner("three").signature("", "", "")), "", keys)
    for order in ((good, bad), (bad, good)):
        with pytest.raises(BadSignatureError, match="the key two did not sign"):
            check_signature("a", "1.0.0", signed("x", *order), None, keys)


def test_a_key_that_has_ended_signs_nothing_new() -> None:
    signer = RegistrySigner(expires="2025-01-29T00:00:00.000Z")
    manifest = signed("x", signer.signature("a", "1.0.0", "x"))
    keys = read_keys({"keys": [signer.entry()]})
    assert check_signature("a", "1.0.0", manifest, "2025-01-28T23:59:59.999Z", keys) == "verified"
    for published in ("2025-01-29T00:00:00.000Z", "2026-01-01", "soon", 7, None):
        with pytest.raises(BadSignatureError):
            check_signature("a", "1.0.0", manifest, published, keys)


@pytest.mark.parametrize("signatures", ["x", {"keyid": "k"}, [None], [{"keyid": 1, "sig": ""}], [{"keyid": "k"}], [1]])
def test_malformed_signatures(signatures: Any) -> None:
    with pytest.raises(BadSignatureError):
        check_signature("a", "1.0.0", {"dist": {"integrity": "x", "signatures": signatures}}, None, ())


def test_more_signatures_than_anybody_makes() -> None:
    entry = {"keyid": "k", "sig": ""}
    assert check_signature("a", "1.0.0", signed("x", *[entry] * MAX_SIGNATURES), None, ()) == "unknown key"
    with pytest.raises(BadSignatureError):
        check_signature("a", "1.0.0", signed("x", *[entry] * (MAX_SIGNATURES + 1)), None, ())


@given(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()))
def test_any_text_as_signature(text: str) -> None:
    with pytest.raises(BadSignatureError):
        check_signature("a", "1.0.0", signed("x", {"keyid": KEYID, "sig": text}), None, read_keys(DOCUMENT))


def test_keys_round_trip() -> None:
    keys = read_keys({"keys": [RegistrySigner("one").entry(), RegistrySigner("two", "2025-01-29T00:00:00Z").entry()]})
    assert read_keys({"keys": [key.as_json() for key in keys]}) == keys


def test_keys_of_other_types_are_passed_over() -> None:
    assert read_keys({"keys": [{"keyid": "rsa", "keytype": "rsa"}, *DOCUMENT["keys"]]})[0].keyid == KEYID


def test_a_point_off_the_curve_verifies_nothing() -> None:
    key = read_keys(DOCUMENT)[0]
    broken = RegistryKey(KEYID, key.der[:-1] + bytes([key.der[-1] ^ 1]))
    name, version, integrity, sig = VECTORS[0]
    with pytest.raises(BadSignatureError):
        check_signature(name, version, signed(integrity, {"keyid": KEYID, "sig": sig}), None, [broken])


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": [{"keyid": "SHA256:x"}]},
        {"keys": [{"keyid": "", "key": DOCUMENT["keys"][0]["key"]}]},
        {"keys": [{"keyid": "a", "key": "AAAA"}]},
        {"keys": [{"keyid": "a", "key": "not base64"}]},
        {"keys": [{**DOCUMENT["keys"][0], "expires": "soon"}]},
        {"keys": [{**DOCUMENT["keys"][0], "expires": 7}]},
        {"keys": DOCUMENT["keys"] * 2},
        {"keys": [None] * (MAX_KEYS + 1)},
    ],
)
def test_what_is_no_list_of_keys(document: Any) -> None:
    with pytest.raises(InvalidInputError):
        read_keys(document)
