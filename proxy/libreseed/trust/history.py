"""Release history: an append-only list of events for each package and publisher, and its Merkle tree hash.

Source: docs/protocol.md, section 6; RFC 6962, section 2.1.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from libreseed.errors import BadRecordError
from libreseed.packages.packument import Manifest, Packument

EventType = Literal["publish", "deprecate", "dist-tag", "unpublish", "owner"]
_TYPES = ("publish", "deprecate", "dist-tag", "unpublish", "owner")


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a package. `time` is in milliseconds since the epoch; the fields of `detail` depend on the type
    (table in docs/protocol.md, section 6), such as `{"version", "integrity"}` of a "publish"."""

    type: EventType
    time: int
    detail: dict[str, Any]

    def encode(self) -> bytes:
        """Return the event's leaf in the Merkle tree: its canonical JSON (docs/protocol.md, sections 5 and 6)."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)

    def as_json(self) -> dict[str, Any]:
        """Return the event as a member of a snapshot's `history`."""
        return {"type": self.type, "time": self.time, "detail": self.detail}

    @classmethod
    def from_json(cls, value: object) -> "Event":
        """Return the event of a snapshot's `history`. Raises BadRecordError: an unknown type, or a member too many, too
        few or of another type (docs/protocol.md, section 6; refusal 6 of section 5). Any object is taken as `detail`.
        """
        match value:
            case {"type": str(kind), "time": int(time), "detail": dict(detail), **rest} if kind in _TYPES and not rest:
                return cls(kind, time, detail)  # type: ignore[arg-type]
            case _:
                raise BadRecordError("A release history with an event of an unknown form.")


def events_between(old: Packument | None, new: Packument, time: int) -> tuple[Event, ...]:
    """Return the events that lead from `old` (None: the package is new) to `new`, in the order of docs/protocol.md,
    section 6. All have the same `time`, in milliseconds since the epoch; without a change there are none."""
    before: Packument = old or {"versions": {}, "dist-tags": {}}
    old_versions, versions = before["versions"], new["versions"]
    old_tags, tags = before["dist-tags"], new["dist-tags"]
    unpublished = [version for version in old_versions if version not in versions]
    published = [version for version in versions if version not in old_versions]
    deprecated = [
        (version, message)
        for version, manifest in versions.items()
        if (message := _deprecation(manifest)) != _deprecation(old_versions.get(version, {}))
    ]
    removed = [(tag, None) for tag in sorted(old_tags.keys() - tags.keys())]
    events = [
        *(Event("unpublish", time, {"version": version}) for version in unpublished),
        *(
            Event("publish", time, {"version": version, "integrity": versions[version]["dist"]["integrity"]})
            for version in published
        ),
        *(Event("deprecate", time, {"version": version, "message": message}) for version, message in deprecated),
        *(
            Event("dist-tag", time, {"tag": tag, "version": version})
            for tag, version in [*removed, *sorted(tags.items() - old_tags.items())]
        ),
    ]
    if old is not None and _owners(old) != _owners(new):
        events.append(Event("owner", time, {"maintainers": _owners(new)}))
    return tuple(events)


def revision(events: Sequence[Event]) -> str:
    """Return the `_rev` (CouchDB: `<number>-<hex>`) of a package with this history of at least one event. No two
    states of the history have the same."""
    return f"{len(events)}-{hashlib.sha256(events[-1].encode()).hexdigest()[:32]}"


def integrity_of(events: Sequence[Event], version: str) -> str | None:
    """Return the integrity that a version was published with, or None when it never was."""
    for event in events:
        if event.type == "publish" and event.detail.get("version") == version:
            return str(event.detail["integrity"])
    return None


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a list of leaves: 32 bytes, SHA-256 (RFC 6962, section 2.1)."""
    if not leaves:  # MTH({}) = SHA-256()
        return hashlib.sha256().digest()
    if len(leaves) == 1:  # MTH({d(0)}) = SHA-256(0x00 || d(0))
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    # MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])), k the largest power of two below n
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def history_root(events: Sequence[Event]) -> bytes:
    """Return the root of a history, `hr` of a record: 32 bytes (docs/protocol.md, sections 4 and 6)."""
    return merkle_root([event.encode() for event in events])


def _deprecation(manifest: Manifest) -> object:
    return manifest.get("deprecated") or ""


def _owners(packument: Packument) -> list[str]:
    return [maintainer["name"] for maintainer in packument["maintainers"]]
