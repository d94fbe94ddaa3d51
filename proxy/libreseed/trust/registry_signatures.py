"""The npm registry's own signatures: ECDSA P-256 with SHA-256 over the text `name@version:integrity`.

Sources: npm's documentation "About ECDSA registry signatures"; npm's `pacote`. A signature vouches for the bytes of a
version's tarball, and for nothing else in a packument, such as its dependencies.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from libreseed.errors import BadSignatureError, InvalidInputError
from libreseed.packages.packument import Manifest

KEY_TYPE = "ecdsa-sha2-nistp256"
MAX_KEYS = 64
"""Keys in one list."""
MAX_SIGNATURES = 16
"""Signatures of one version; checking one takes 0.1 ms."""

_DER_START = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""The DER form of a P-256 key's SubjectPublicKeyInfo (RFC 5480, section 2) up to its uncompressed point."""
_DER_LENGTH = len(_DER_START) + 65

SignatureState = Literal["verified", "unsigned", "unknown key"]


@dataclass(frozen=True, slots=True)
class RegistryKey:
    """A registry's public key: its id, its DER form (SubjectPublicKeyInfo), and when it expired, None while in use.

    It signs no version that was published at `expires` or later.
    """

    keyid: str
    der: bytes
    expires: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the key as an entry of `/-/npm/v1/keys`."""
        return {
            "keyid": self.keyid,
            "keytype": KEY_TYPE,
            "scheme": KEY_TYPE,
            "key": base64.b64encode(self.der).decode(),
            "expires": None if self.expires is None else self.expires.isoformat(),
        }


def read_keys(document: object) -> tuple[RegistryKey, ...]:
    """Return the keys of `{"keys": [{keyid, keytype, scheme, key, expires}]}` that are of the type ecdsa-sha2-nistp256.

    `key` is base64 of SubjectPublicKeyInfo, `expires` an ISO 8601 time or null. Raises InvalidInputError: another form,
    more than 64 keys, two with one id, a key not on P-256, an unreadable time.
    """
    match document:
        case {"keys": list(entries)} if len(entries) <= MAX_KEYS:
            keys = [_read_key(entry) for entry in entries if _is_known(entry)]
        case _:
            raise InvalidInputError("That is not a registry's list of keys.")
    if len({key.keyid for key in keys}) < len(keys):
        raise InvalidInputError("A registry's list of keys has two keys with one id.")
    return tuple(keys)


def check_signature(
    name: str, version: str, manifest: Manifest, published: object, keys: Iterable[RegistryKey]
) -> SignatureState:
    """Check the signatures in a manifest's `dist.signatures`, `[{keyid, sig}]`, of its `dist.integrity`.

    `published` is the version's entry in the packument's `time`, an ISO 8601 text. Returns "verified", "unsigned"
    (there are no signatures), or "unknown key" (all are by other keys than `keys`). Raises BadSignatureError: the
    signatures are malformed or more than 16, one by a key of `keys` is wrong, or that key had expired before the
    version was published (npm's `pacote`: `EEXPIREDSIGNATUREKEY`).
    """
    dist = manifest["dist"]
    signatures = dist.get("signatures")
    if not signatures:
        return "unsigned"
    if not isinstance(signatures, list) or len(signatures) > MAX_SIGNATURES:
        raise _bad(name, version, "its signatures are malformed")
    by_id = {key.keyid: key for key in keys}
    state: SignatureState = "unknown key"
    for signature in signatures:
        match signature:
            case {"keyid": str(keyid), "sig": str(text)}:
                key = by_id.get(keyid)
            case _:
                raise _bad(name, version, "its signatures are malformed")
        if key is None:
            continue
        # As in `pacote`: what was published at or after the key's `expires` cannot be signed by it.
        if key.expires is not None and _published(name, version, published) >= key.expires:
            raise _bad(name, version, f"the key {keyid} had ended before it was published")
        if not _verifies(key.der, text, f"{name}@{version}:{dist.get('integrity')}"):
            raise _bad(name, version, f"the key {keyid} did not sign that integrity")
        state = "verified"
    return state


def _is_known(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("keytype", KEY_TYPE) == KEY_TYPE


def _read_key(entry: dict[str, Any]) -> RegistryKey:
    match entry:
        case {"keyid": str(keyid), "key": str(text), **others} if keyid:
            pass
        case _:
            raise InvalidInputError("A registry's key has no id or no key.")
    expires = others.get("expires")
    try:
        der = base64.b64decode(text, validate=True)
        if len(der) != _DER_LENGTH or not der.startswith(_DER_START):
            raise ValueError("it is no key of the curve P-256")
        return RegistryKey(keyid, der, None if expires is None else _time(expires))
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"The registry's key {keyid[:100]} cannot be read: {error}.") from error


def _verifies(der: bytes, text: str, message: str) -> bool:
    # Imported here because it takes 45 ms, for which a start of the node should not wait.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), der[len(_DER_START) :])
        key.verify(base64.b64decode(text, validate=True), message.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):  # ValueError: no point of the curve, no base64, characters outside ASCII
        return False
    return True


def _published(name: str, version: str, text: object) -> datetime:
    try:
        return _time(text)
    except (ValueError, TypeError) as error:
        raise _bad(name, version, "nothing tells whether it was published before its key ended") from error


def _time(text: object) -> datetime:
    if not isinstance(text, str):
        raise TypeError("a time is text")
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _bad(name: str, version: str, why: str) -> BadSignatureError:
    return BadSignatureError(
        f"The registry's signature of {name}@{version} is wrong: {why}. The version is refused.",
        hint="Somebody between the registry and you has changed it; do not install it before you know why.",
    )
