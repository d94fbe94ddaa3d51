"""Release history: an append-only Merkle list per package and publisher (RFC 6962, section 2.1)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from libreseed.errors import BadRecordError

EventType = Literal["publish", "deprecate", "dist-tag", "unpublish"]
_TYPES = ("publish", "deprecate", "dist-tag", "unpublish")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done to a package. `time` is in milliseconds since the epoch; `detail` depends on the type:
    the version and its integrity for a publish, the version and message for a deprecation, and so on."""

    type: EventType
    time: int
    detail: dict[str, Any]

    def encode(self) -> bytes:
        """Return the leaf: canonical JSON."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)

    def as_json(self) -> dict[str, Any]:
        """Return the event as it stands in a snapshot."""
        return {"type": self.type, "time": self.time, "detail": self.detail}

    @classmethod
    def from_json(cls, value: object) -> "Event":
        """Read what `as_json` gave. Raises BadRecordError."""
        match value:
            case {"type": str(kind), "time": int(time), "detail": dict(detail), **rest} if kind in _TYPES and not rest:
                return cls(kind, time, detail)  # type: ignore[arg-type]
            case _:
                raise BadRecordError("A release history with an event of an unknown form.")


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the 32-byte Merkle tree hash of a list of leaves."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def history_root(events: Sequence[Event]) -> bytes:
    """Return the root that a record carries for this history."""
    return merkle_root([event.encode() for event in events])
