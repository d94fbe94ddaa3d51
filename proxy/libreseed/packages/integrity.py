"""Subresource integrity, as npm uses it: `sha512-<base64>` (W3C SRI, npm's `ssri`)."""

import base64
import hashlib

from libreseed.errors import InvalidInputError

SHA512_LENGTH = 64
CONTENT_KEY_PREFIX = "libreseed:sha512-"


def format_integrity(digest: bytes) -> str:
    """Return the SRI text of a 64-byte SHA-512 digest."""
    return "sha512-" + base64.b64encode(digest).decode()


def parse_integrity(text: str) -> bytes | None:
    """Return the 64-byte SHA-512 digest in an SRI text, or None when it has only weaker hashes.

    An SRI text is a list of `algorithm-base64` with optional `?options`, separated by white space (W3C SRI, 3.5). The
    first sha512 entry counts. Raises InvalidInputError when that is not base64 of 64 bytes.
    """
    for entry in text.split():
        algorithm, _, value = entry.partition("-")
        if algorithm != "sha512":
            continue
        try:
            digest = base64.b64decode(value.partition("?")[0], validate=True)
        except ValueError:  # binascii.Error is one, characters outside ASCII another
            digest = b""
        if len(digest) != SHA512_LENGTH:
            raise InvalidInputError(f"{entry[:120]!r} is not a sha512 integrity.")
        return digest
    return None


def sha512(data: bytes) -> bytes:
    """Return the 64-byte SHA-512 digest of `data`."""
    return hashlib.sha512(data).digest()


def content_key(digest: bytes) -> str:
    """Return the key text under which nodes claim to hold the bytes with this SHA-512: `libreseed:sha512-<hex>`
    (docs/protocol.md, section 2)."""
    return CONTENT_KEY_PREFIX + digest.hex()
