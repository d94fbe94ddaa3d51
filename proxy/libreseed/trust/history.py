"""Release history: an append-only Merkle list per package and publisher (RFC 6962, section 2.1)."""

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
    """One thing done to a package. `time` is in milliseconds since the epoch; `detail` depends on the type
    (docs/protocol.md, section 6): the version and its integrity for a publish, for example."""

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


def events_between(old: Packument | None, new: Packument, time: int) -> tuple[Event, ...]:
    """Return what was done to a package to make `new` of `old` (None: it is new), all at `time` in milliseconds."""
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
    """Return the `_rev` of a package with this history: it changes with every event, and never comes again."""
    return f"{len(events)}-{hashlib.sha256(events[-1].encode()).hexdigest()[:32]}"


def integrity_of(events: Sequence[Event], version: str) -> str | None:
    """Return the integrity that a version was published with, or None when it never was."""
    for event in events:
        if event.type == "publish" and event.detail.get("version") == version:
            return str(event.detail["integrity"])
    return None


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


def _deprecation(manifest: Manifest) -> object:
    return manifest.get("deprecated") or ""


def _owners(packument: Packument) -> list[str]:
    return [maintainer["name"] for maintainer in packument["maintainers"]]
