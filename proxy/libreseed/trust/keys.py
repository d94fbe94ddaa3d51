"""Ed25519 keys (RFC 8032) of publishers and mirrors, written `ed25519:<64 lower-case hex digits>`."""

from dataclasses import dataclass
from functools import cached_property

import nacl.exceptions
import nacl.signing

from libreseed.errors import BadSignatureError, InvalidInputError

KEY_LENGTH = 32
SIGNATURE_LENGTH = 64
_PREFIX = "ed25519:"


def format_key(public: bytes) -> str:
    """Return the text of a 32-byte public key."""
    return _PREFIX + public.hex()


def parse_key(text: str) -> bytes:
    """Return the 32-byte public key that `text` names; the `ed25519:` may be missing. Raises InvalidInputError for
    anything but 64 lower-case hex digits."""
    digits = text.strip().removeprefix(_PREFIX)
    try:
        public = bytes.fromhex(digits)
    except ValueError:
        public = b""
    if len(public) != KEY_LENGTH or digits != public.hex():
        raise InvalidInputError(
            f"{text[:90]!r} is not a publisher key.", hint="A key is ed25519: and 64 lower-case hex digits."
        )
    return public


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise BadSignatureError unless `signature` (64 bytes) is one of `message` by the key `public` (32 bytes), checked
    as in RFC 8032, 5.1.7. A key or signature of another length is refused likewise."""
    try:
        nacl.signing.VerifyKey(public).verify(message, signature)
    except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
        raise BadSignatureError(f"The signature is not one by {format_key(public)}.") from error


@dataclass(frozen=True)
class PrivateKey:
    """A publisher's private key: the 32-byte seed of RFC 8032."""

    seed: bytes

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Make a new key from the system's random source."""
        return cls(bytes(nacl.signing.SigningKey.generate()))

    @classmethod
    def parse(cls, text: str) -> "PrivateKey":
        """Return the key whose seed `text` gives in 64 hex digits. Raises InvalidInputError, whose message does not
        repeat the text."""
        try:
            seed = bytes.fromhex(text.strip())
        except ValueError:
            seed = b""
        if len(seed) != KEY_LENGTH:
            raise InvalidInputError("That is not a private key.", hint="A private key is 64 hex digits.")
        return cls(seed)

    @cached_property
    def _signer(self) -> nacl.signing.SigningKey:
        return nacl.signing.SigningKey(self.seed)

    @cached_property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return bytes(self._signer.verify_key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message` (RFC 8032, 5.1.6)."""
        return self._signer.sign(message).signature

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.hex()})"
