"""Package records: what a publisher or a mirror signs about one package (docs/protocol.md, "Records")."""

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

from libreseed.errors import (
    BadRecordError,
    EquivocationError,
    ExpiredError,
    FastForwardError,
    InvalidInputError,
    RollbackError,
    WrongNameError,
)
from libreseed.packages.names import check_name, key_text
from libreseed.trust import bencode
from libreseed.trust.items import SignedItem, salt_for, sign_item
from libreseed.trust.keys import PrivateKey, format_key

LIFETIME = 30 * 24 * 3600
"""Seconds until a record expires."""
RESIGN_AFTER = 7 * 24 * 3600
"""Seconds after which its publisher signs it anew."""
CLOCK_SKEW = 10 * 60
"""Seconds that a record's seq may be ahead of our clock."""
MAX_SEEDERS = 8
EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""Root of an empty history: SHA-256 of nothing (RFC 6962, 2.1)."""

RecordType = Literal["package", "mirror"]
_TYPES: dict[bytes, RecordType] = {b"package": "package", b"mirror": "mirror"}

Endpoint = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """How to find and check a blob: infohashes (20 and 32 bytes), length in bytes, SHA-512 (64 bytes)."""

    v1: bytes
    v2: bytes
    length: int
    sha512: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a record. `type` tells a publisher's own word on its package from a mirror's copy of the
    upstream's; `document` is the SHA-512 of the unpacked snapshot; `expiry` is in seconds since the epoch."""

    type: RecordType
    name: str
    expiry: int
    snapshot: BlobRef
    document: bytes
    history_size: int = 0
    history_root: bytes = EMPTY_ROOT
    seeders: tuple[Endpoint, ...] = field(default=())

    @property
    def reachable_seeders(self) -> tuple[Endpoint, ...]:
        """The seeders whose address somebody can have: a record may not point its readers at a whole network."""
        return tuple(seeder for seeder in self.seeders if _is_reachable(*seeder))

    def encode(self) -> bytes:
        """Return the bencoded `v` of the item. Raises BadRecordError when it does not fit in 1000 bytes."""
        return bencode.encode(
            {
                b"t": self.type.encode(),
                b"n": self.name.encode(),
                b"e": self.expiry,
                b"i1": self.snapshot.v1,
                b"i2": self.snapshot.v2,
                b"l": self.snapshot.length,
                b"h": self.snapshot.sha512,
                b"d": self.document,
                b"hs": self.history_size,
                b"hr": self.history_root,
                b"s": [pack_endpoint(seeder) for seeder in self.seeders[:MAX_SEEDERS]],
            }
        )


def sign_record(key: PrivateKey, record: Record, seq: int) -> SignedItem:
    """Sign `record` under the overlay key of its name."""
    return sign_item(key, salt_for(key_text(record.name)), seq, record.encode())


def next_seq(now: float, last: int | None) -> int:
    """Return the seq of a new record: milliseconds since the epoch, and above the last one used."""
    milliseconds = int(now * 1000)
    return milliseconds if last is None else max(milliseconds, last + 1)


def read_record(item: SignedItem, name: str, now: float) -> Record:
    """Check an item against the name it was found under, and return its record.

    Expiry is not judged here (`check_fresh`): an expired record stays evidence. Raises BadSignatureError,
    BadRecordError, WrongNameError, FastForwardError.
    """
    item.check()
    record = _decode(item.value)
    if record.name != name or item.salt != salt_for(key_text(name)):
        raise WrongNameError(
            f"A record found under {name} was signed by {format_key(item.key)} for {record.name}; refused."
        )
    if item.seq > (now + CLOCK_SKEW) * 1000:
        raise FastForwardError(
            f"The record of {name} by {format_key(item.key)} is dated {item.seq / 1000 - now:.0f} s in the future;"
            " refused.",
            hint="Check this machine's clock.",
        )
    return record


def check_fresh(item: SignedItem, record: Record, now: float) -> None:
    """Raise ExpiredError when the signed expiry has passed."""
    if record.expiry < now:
        days = (now - record.expiry) / 86400
        raise ExpiredError(
            f"The record of {record.name} by {format_key(item.key)} expired {days:.1f} days ago.",
            hint="Its publisher has not signed it anew; versions pinned by a lock file still install.",
        )


def check_succession(last: SignedItem | None, new: SignedItem, name: str) -> None:
    """Refuse `new` when it is older than `last`, or differs from it under the same seq.

    Raises RollbackError, EquivocationError.
    """
    if last is None or new.seq > last.seq:
        return
    if new.seq < last.seq:
        raise RollbackError(
            f"The record of {name} by {format_key(new.key)} has seq {new.seq}, but {last.seq} was already seen;"
            " refused (rollback)."
        )
    if new.value != last.value:
        raise EquivocationError(
            f"{format_key(new.key)} signed two different records of {name} with seq {new.seq}; both are kept as"
            " evidence."
        )


def pack_endpoint(endpoint: Endpoint) -> bytes:
    """Return BEP 5's compact form: 4 or 16 bytes of address and 2 of port."""
    return ipaddress.ip_address(endpoint[0]).packed + endpoint[1].to_bytes(2, "big")


def unpack_endpoint(data: bytes) -> Endpoint:
    """Read BEP 5's compact form. Raises BadRecordError."""
    if len(data) not in (6, 18):
        raise BadRecordError("A seeder's address that is neither 6 nor 18 bytes.")
    return str(ipaddress.ip_address(data[:-2])), int.from_bytes(data[-2:], "big")


def _is_reachable(host: str, port: int) -> bool:
    address = ipaddress.ip_address(host)
    return port > 0 and not (address.is_multicast or address.is_unspecified)


def _decode(value: bytes) -> Record:
    try:
        fields = bencode.decode(value)
    except InvalidInputError as error:
        raise BadRecordError("A record that is not bencoded.") from error
    match fields:
        case {
            b"t": bytes(kind),
            b"n": bytes(name),
            b"e": int(expiry),
            b"i1": bytes(v1),
            b"i2": bytes(v2),
            b"l": int(length),
            b"h": bytes(digest),
            b"d": bytes(document),
            b"hs": int(history_size),
            b"hr": bytes(history_root),
            b"s": list(seeders),
        } if kind in _TYPES:
            pass
        case _:
            raise BadRecordError("A record of an unknown type, or with a field missing.")
    sizes = (len(v1), len(v2), len(digest), len(document), len(history_root))
    if sizes != (20, 32, 64, 64, 32) or length <= 0 or history_size < 0 or len(seeders) > MAX_SEEDERS:
        raise BadRecordError("A record with a field of a wrong size.")
    try:
        text = check_name(name.decode())
    except (UnicodeDecodeError, InvalidInputError) as error:
        raise BadRecordError("A record of a name that is none.") from error
    return Record(
        type=_TYPES[kind],
        name=text,
        expiry=expiry,
        snapshot=BlobRef(v1, v2, length, digest),
        document=document,
        history_size=history_size,
        history_root=history_root,
        seeders=tuple(unpack_endpoint(seeder) for seeder in seeders if isinstance(seeder, bytes)),
    )
