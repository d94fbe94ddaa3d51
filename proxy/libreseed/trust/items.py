"""BEP 44 mutable items: the one signature format of both networks."""

import hashlib
from dataclasses import dataclass

from libreseed.errors import BadRecordError, InvalidInputError
from libreseed.trust import bencode
from libreseed.trust.keys import KEY_LENGTH, SIGNATURE_LENGTH, PrivateKey, verify

MAX_VALUE = 1000
MAX_SALT = 64
MAX_SEQ = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class SignedItem:
    """One item: public key (32 bytes), salt (0 to 64), sequence number, bencoded value (1 to 1000 bytes),
    signature (64). Holding one proves nothing: call `check`."""

    key: bytes
    salt: bytes
    seq: int
    value: bytes
    signature: bytes

    @property
    def target(self) -> bytes:
        """The 20-byte DHT target, SHA-1 of key and salt."""
        return hashlib.sha1(self.key + self.salt, usedforsecurity=False).digest()

    def check(self) -> None:
        """Raise BadRecordError for a size over BEP 44's limits, BadSignatureError for a wrong signature."""
        if (
            len(self.key) != KEY_LENGTH
            or len(self.signature) != SIGNATURE_LENGTH
            or len(self.salt) > MAX_SALT
            or not 0 < len(self.value) <= MAX_VALUE
            or not 0 <= self.seq <= MAX_SEQ
        ):
            raise BadRecordError("An item's key, salt, value, seq or signature has a wrong size (BEP 44).")
        verify(self.key, signed_bytes(self.salt, self.seq, self.value), self.signature)

    def encode(self) -> bytes:
        """Return the item as one bencoded dict with BEP 44's field names: k, salt, seq, sig, v."""
        return bencode.encode(
            {b"k": self.key, b"salt": self.salt, b"seq": self.seq, b"sig": self.signature, b"v": self.value}
        )

    @classmethod
    def decode(cls, data: bytes) -> "SignedItem":
        """Read what `encode` wrote. Raises BadRecordError; the signature is not checked here."""
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
    """Return what BEP 44 signs: the bencoded salt (when there is one), seq and v, without the dict's d and e."""
    head = b"4:salt" + bencode.encode(salt) if salt else b""
    return head + b"3:seq" + bencode.encode(seq) + b"1:v" + value


def sign_item(key: PrivateKey, salt: bytes, seq: int, value: bytes) -> SignedItem:
    """Return the signed item of an already bencoded `value`. Raises BadRecordError over a size limit."""
    item = SignedItem(key.public, salt, seq, value, key.sign(signed_bytes(salt, seq, value)))
    item.check()
    return item


def salt_for(key_text: str) -> bytes:
    """Return the salt of an overlay key: its text up to 64 bytes, else the hex SHA-256 of it."""
    raw = key_text.encode()
    return raw if len(raw) <= MAX_SALT else hashlib.sha256(raw).hexdigest().encode()
