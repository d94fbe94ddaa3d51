"""Package records: what a publisher or a mirror signs about one package.

Source: docs/protocol.md, section 4. "Refusal n" below is row n of its table of refusals.
"""

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
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
"""Seconds from signing until a record expires."""
RESIGN_AFTER = 7 * 24 * 3600
"""Seconds after which its signer signs it anew with the same content."""
CLOCK_SKEW = 10 * 60
"""Seconds that a record's seq may be ahead of our clock (refusal 7)."""
MAX_SEEDERS = 8
"""Endpoints in one record."""
EMPTY_ROOT = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""Root of an empty history: SHA-256 of no bytes (RFC 6962, section 2.1)."""

RecordType = Literal["package", "mirror"]
_ENDPOINTS = 4096
"""Endpoints that are kept in both forms: the same few are packed and unpacked thousands of times."""
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
    """The content of a record. `type`: "package" by the package's publisher, "mirror" for a copy of what an upstream
    registry said. `document` is the 64-byte SHA-512 of the unpacked snapshot; `expiry` is in seconds since the epoch;
    `history_size` counts events, and `history_root` is their Merkle tree hash (32 bytes)."""

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
        """The seeders that can be connected to: those with a port and with the address of one host. Multicast and
        unspecified addresses are left out, so that no record makes its readers send to a whole network."""
        return tuple(seeder for seeder in self.seeders if _is_reachable(*seeder))

    def encode(self) -> bytes:
        """Return `v` of the item: the bencoded dict of docs/protocol.md, section 4, with the first 8 seeders."""
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
    """Return `record` as an item signed with `key`, its salt that of the package's key text.

    Raises BadRecordError when the encoded record has more than 1000 bytes (BEP 44).
    """
    return sign_item(key, salt_for(key_text(record.name)), seq, record.encode())


def next_seq(now: float, last: int | None) -> int:
    """Return the seq of a new record: `now` in milliseconds since the epoch, and at least `last` + 1, unless everybody
    has refused that, as from the future. `now` is in seconds."""
    milliseconds = int(now * 1000)
    return milliseconds if last is None or is_ahead(last, now) else max(milliseconds, last + 1)


def is_ahead(seq: int, now: float) -> bool:
    """Tell whether a record with this seq is from the future, at `now` in seconds since the epoch: the clock was ahead
    where it was signed. It counts for nothing, not even as seen."""
    return seq > (now + CLOCK_SKEW) * 1000


def read_record(item: SignedItem, name: str, now: float) -> Record:
    """Return the record in an item found under `name`, after refusals 1 to 7. `now` is in seconds since the epoch.

    Expiry is left to `check_fresh`, since an expired record still counts as seen. Raises BadRecordError (refusals 1,
    3, 4 and 5), BadSignatureError (2), WrongNameError (6), FastForwardError (7).
    """
    item.check()
    record = _decode(item.value)
    # Refusal 6: the name is under the signature, and the salt is derived from it.
    if record.name != name or item.salt != salt_for(key_text(name)):
        raise WrongNameError(
            f"A record found under {name} was signed by {format_key(item.key)} for {record.name}; refused."
        )
    # Refusal 7: a seq far ahead would make each later record of this key a rollback.
    if is_ahead(item.seq, now):
        raise FastForwardError(
            f"The record of {name} by {format_key(item.key)} is dated {item.seq / 1000 - now:.0f} s in the future;"
            " refused.",
            hint="Check this machine's clock.",
        )
    return record


def check_fresh(item: SignedItem, record: Record, now: float) -> None:
    """Raise ExpiredError when the signed expiry has passed at `now`, in seconds since the epoch (refusal 8)."""
    if record.expiry < now:
        days = (now - record.expiry) / 86400
        raise ExpiredError(
            f"The record of {record.name} by {format_key(item.key)} expired {days:.1f} days ago.",
            hint="Its publisher has not signed it anew; versions pinned by a lock file still install.",
        )


def check_succession(last: SignedItem | None, new: SignedItem, name: str) -> None:
    """Check that `new` may follow `last`, the newest item accepted from the same key under `name` (None: none was).

    Raises RollbackError when its seq is lower (refusal 9), EquivocationError when another value was signed with the
    same seq (refusal 10).
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


@lru_cache(_ENDPOINTS)
def pack_endpoint(endpoint: Endpoint) -> bytes:
    """Return an endpoint in BEP 5's compact form: 4 or 16 bytes of address, then 2 of port, big-endian."""
    return ipaddress.ip_address(endpoint[0]).packed + endpoint[1].to_bytes(2, "big")


@lru_cache(_ENDPOINTS)
def unpack_endpoint(data: bytes) -> Endpoint:
    """Return the endpoint of BEP 5's compact form. Raises BadRecordError unless it has 6 or 18 bytes."""
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
        raise BadRecordError("A record that is not bencoded.") from error  # refusal 3
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
        case _:  # refusal 3; further fields are ignored
            raise BadRecordError("A record of an unknown type, or with a field missing.")
    # Refusal 4: sizes as in the table of fields.
    sizes = (len(v1), len(v2), len(digest), len(document), len(history_root))
    if sizes != (20, 32, 64, 64, 32) or length <= 0 or history_size < 0 or len(seeders) > MAX_SEEDERS:
        raise BadRecordError("A record with a field of a wrong size.")
    # Refusal 5: names as in section 2; `unpack_endpoint` refuses endpoints of another size.
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
