"""Provenance that comes with a publish: a Sigstore bundle that says how a tarball was made.

Sources: npm's `libnpmpublish`; Sigstore's bundle format; in-toto's Statement. Whether its signatures are good is for
the client to check (`npm audit signatures`); here it must speak of that very tarball.
"""

import base64
from dataclasses import dataclass
from typing import Any

import orjson

from libreseed.errors import IntegrityError, InvalidInputError


@dataclass(frozen=True, slots=True)
class Attestation:
    """A bundle, and the type of what it states, a URL."""

    predicate_type: str
    bundle: dict[str, Any]


def read_attestation(file: str, text: object, digest: bytes) -> Attestation:
    """Read the attachment `file`, a bundle as JSON. `digest` is the tarball's SHA-512.

    Raises InvalidInputError: not such a bundle; IntegrityError: it is about something else.
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
    """Return what a registry shows at `/-/npm/v1/attestations/NAME@VERSION`."""
    entry = {"predicateType": attestation.predicate_type, "bundle": attestation.bundle}
    return orjson.dumps({"attestations": [entry]})
