"""Signed items: mutable items as BEP 44 defines them. Source: BEP 44; docs/protocol.md, sections 2 and 3."""

import hashlib
from dataclasses import dataclass

from libreseed.errors import BadRecordError, InvalidInputError
from libreseed.trust import bencode
from libreseed.trust.keys import KEY_LENGTH, SIGNATURE_LENGTH, PrivateKey, verify

MAX_VALUE = 1000
"""Bytes of a bencoded `v` (BEP 44: "less than or equal to 1000 bytes")."""
MAX_SALT = 64
"""Bytes of a salt (BEP 44: longer than 64 bytes is refused)."""
MAX_SEQ = (1 << 63) - 1
"""The highest sequence number (docs/protocol.md, section 3)."""


@dataclass(frozen=True, slots=True)
class SignedItem:
    """One item: public key (32 bytes), salt (0 to 64 bytes), sequence number, bencoded value (1 to 1000 bytes),
    signature (64 bytes). Its sizes and its signature are unchecked until `check` has been called."""

    key: bytes
    salt: bytes
    seq: int
    value: bytes
    signature: bytes

    @property
    def target(self) -> bytes:
        """The DHT target: the 20-byte SHA-1 of key and salt (BEP 44, "Mutable items")."""
        return hashlib.sha1(self.key + self.salt, usedforsecurity=False).digest()

    def check(self) -> None:
        """Check sizes and signature: refusals 1 and 2 of docs/protocol.md, section 4.

        Raises BadRecordError for a field of a wrong size, BadSignatureError for a signature by another key or of
        another salt, seq or value.
        """
        # BEP 44: a key of 32 bytes, a signature of 64, a salt of at most 64, v of at most 1000. An empty v is no
        # bencoding; a negative seq, or one of more than 63 bits, docs/protocol.md, section 3 excludes.
        if (
            len(self.key) != KEY_LENGTH
            or len(self.signature) != SIGNATURE_LENGTH
            or len(self.salt) > MAX_SALT
            or not 0 < len(self.value) <= MAX_VALUE
            or not 0 <= self.seq <= MAX_SEQ
        ):
            raise BadRecordError("An item's key, salt, value, seq or signature has a wrong size (BEP 44).")
        # BEP 44, "Signature Verification"
        verify(self.key, signed_bytes(self.salt, self.seq, self.value), self.signature)

    def encode(self) -> bytes:
        """Return the encoded item: one bencoded dict of k, salt, seq, sig and v, the last as a byte string
        (docs/protocol.md, section 3)."""
        return bencode.encode(
            {b"k": self.key, b"salt": self.salt, b"seq": self.seq, b"sig": self.signature, b"v": self.value}
        )

    @classmethod
    def decode(cls, data: bytes) -> "SignedItem":
        """Return the item of an encoded one; further keys are ignored (docs/protocol.md, section 3).

        Raises BadRecordError: not canonical bencoding, or a field missing or of a wrong type. Sizes and signature are
        left to `check`.
        """
        try:
            fields = bencode.decode(data)
        except InvalidInputError as error:
            raise BadRecordError("An item that is not bencoded.") from error
        match fields:
            case {
                b"k": bytes(key),
                b"salt": bytes(salt),
                b"seq": int(seq),
                b"sig": bytes(sig),
                b"v": bytes(value),
            }:
                return cls(key, salt, seq, value, sig)
            case _:
                raise BadRecordError("An item without k, salt, seq, sig and v.")


def signed_bytes(salt: bytes, seq: int, value: bytes) -> bytes:
    """Return the bytes that BEP 44 signs: `4:salt`, `3:seq` and `1:v`, each with its bencoded value, as in a dict
    without its `d` and `e`. An empty salt is left out; `value` is bencoded already."""
    head = b"4:salt" + bencode.encode(salt) if salt else b""
    return head + b"3:seq" + bencode.encode(seq) + b"1:v" + value


def sign_item(key: PrivateKey, salt: bytes, seq: int, value: bytes) -> SignedItem:
    """Return the item of an already bencoded `value` of 1 to 1000 bytes, signed. Raises BadRecordError over one of
    BEP 44's limits."""
    item = SignedItem(key.public, salt, seq, value, key.sign(signed_bytes(salt, seq, value)))
    item.check()
    return item


def salt_for(key_text: str) -> bytes:
    """Return the salt of a key text: its UTF-8 form when that has at most 64 bytes, else the 64 lower-case hex digits
    of its SHA-256 (docs/protocol.md, section 2)."""
    raw = key_text.encode()
    return raw if len(raw) <= MAX_SALT else hashlib.sha256(raw).hexdigest().encode()
