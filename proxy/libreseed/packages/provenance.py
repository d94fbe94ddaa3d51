"""Provenance attached to a publish: a Sigstore bundle that states how the tarball was built.

Sources: npm's `libnpmpublish`; Sigstore's bundle format; in-toto's Statement. Its signatures are checked by clients
(`npm audit signatures`); here only its subject is, which must be the tarball that it came with.
"""

import base64
from dataclasses import dataclass
from typing import Any

import orjson

from libreseed.errors import IntegrityError, InvalidInputError


@dataclass(frozen=True, slots=True)
class Attestation:
    """A Sigstore bundle, and the `predicateType` of its statement, a URL such as `https://slsa.dev/provenance/v1`."""

    predicate_type: str
    bundle: dict[str, Any]


def read_attestation(file: str, text: object, digest: bytes) -> Attestation:
    """Return the attestation in the attachment `file`, whose JSON is `text`. `digest`: the tarball's SHA-512, 64 bytes.

    Raises InvalidInputError: `text` is no Sigstore bundle with a DSSE envelope of an in-toto Statement; IntegrityError:
    none of its subjects has that SHA-512.
    """
    try:
        bundle = orjson.loads(text if isinstance(text, str) else b"")
        statement = orjson.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True))
        kind, subjects = (
            statement["predicateType"],
            [subject["digest"].get("sha512") for subject in statement["subject"]],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInputError(f"The attachment {file[:100]!r} is not a Sigstore bundle.") from error
    if not isinstance(kind, str):
        raise InvalidInputError(f"The attachment {file[:100]!r} does not say what it states.")
    if digest.hex() not in subjects:
        raise IntegrityError(f"The attachment {file[:100]!r} is not about the tarball that it came with.")
    return Attestation(kind, bundle)


def attestations_document(attestation: Attestation) -> bytes:
    """Return the JSON of `/-/npm/v1/attestations/NAME@VERSION` with this one attestation."""
    entry = {"predicateType": attestation.predicate_type, "bundle": attestation.bundle}
    return orjson.dumps({"attestations": [entry]})
