from typing import Any

import orjson
import pytest

from libreseed.errors import IntegrityError, InvalidInputError
from libreseed.packages.integrity import sha512
from libreseed.packages.provenance import attestations_document, read_attestation
from support.packages import PREDICATE, make_bundle

DIGEST = sha512(b"tarball")


def test_an_attestation() -> None:
    bundle = make_bundle(DIGEST)
    attestation = read_attestation("a.sigstore", orjson.dumps(bundle).decode(), DIGEST)
    assert (attestation.predicate_type, attestation.bundle) == (PREDICATE, bundle)
    document = orjson.loads(attestations_document(attestation))
    assert document == {"attestations": [{"predicateType": PREDICATE, "bundle": bundle}]}


def test_one_about_something_else() -> None:
    with pytest.raises(IntegrityError, match="not about the tarball"):
        read_attestation("a.sigstore", orjson.dumps(make_bundle(sha512(b"other"))).decode(), DIGEST)


@pytest.mark.parametrize(
    "bundle",
    [
        [],
        {},
        {"dsseEnvelope": {"payload": "é"}},
        {"dsseEnvelope": {"payload": 1}},
        {"dsseEnvelope": {"payload": "AAAA"}},
        make_bundle(DIGEST, predicateType=None),
        make_bundle(DIGEST, subject=[{"digest": []}]),
        make_bundle(DIGEST, subject=7),
    ],
)
def test_what_is_no_bundle(bundle: Any) -> None:
    with pytest.raises(InvalidInputError):
        read_attestation("a.sigstore", orjson.dumps(bundle).decode(), DIGEST)


@pytest.mark.parametrize("text", [None, 7, "", "{"])
def test_what_is_no_json(text: Any) -> None:
    with pytest.raises(InvalidInputError):
        read_attestation("a.sigstore", text, DIGEST)
