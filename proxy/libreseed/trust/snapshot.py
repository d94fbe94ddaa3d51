"""Packument snapshots: the one content-addressed document of a package that a record points to.

The blob is the zlib form (RFC 1950, level 6) of canonical JSON. A mirror's snapshot holds nothing of its own, so
mirrors of the same upstream state make the same bytes and meet in one swarm.
"""

import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from libreseed.errors import BadRecordError, InvalidInputError
from libreseed.packages.integrity import sha512
from libreseed.packages.packument import check_packument
from libreseed.trust.history import Event, history_root
from libreseed.trust.records import Record

MAX_DOCUMENT = 256 << 20
"""Bytes of an unpacked snapshot."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class TorrentRef:
    """The torrent of one version's tarball: infohashes (20 and 32 bytes) and length."""

    v1: bytes
    v2: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A package's whole document. `torrents` is by version, and empty in a mirror's snapshot, as is `history`."""

    packument: dict[str, Any]
    torrents: dict[str, TorrentRef] = field(default_factory=dict)
    history: tuple[Event, ...] = ()

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.packument["name"])

    def document(self) -> bytes:
        """Return the canonical JSON."""
        return orjson.dumps(
            {
                "format": FORMAT,
                "packument": self.packument,
                "torrents": {
                    version: {"v1": ref.v1.hex(), "v2": ref.v2.hex(), "length": ref.length}
                    for version, ref in self.torrents.items()
                },
                "history": [event.as_json() for event in self.history],
            },
            option=orjson.OPT_SORT_KEYS,
        )


def pack(document: bytes) -> bytes:
    """Return the blob of a document."""
    return zlib.compress(document, 6)


def read_snapshot(blob: bytes, record: Record) -> Snapshot:
    """Unpack the blob that `record` points to and check all that the record signed.

    Raises BadRecordError: other bytes, too long, another name, another history.
    """
    if len(blob) != record.snapshot.length or sha512(blob) != record.snapshot.sha512:
        raise BadRecordError(f"The snapshot of {record.name} is not the one its record signed.")
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(blob, MAX_DOCUMENT)
    except zlib.error as error:
        raise BadRecordError(f"The snapshot of {record.name} is not packed as zlib.") from error
    if not unpacker.eof or unpacker.unused_data or sha512(document) != record.document:
        raise BadRecordError(f"The snapshot of {record.name} does not unpack to the document its record signed.")
    try:
        snapshot = _decode(document, record.name)
        root = history_root(snapshot.history)
    except (InvalidInputError, ValueError, TypeError, KeyError) as error:
        raise BadRecordError(f"The snapshot of {record.name} is malformed: {error}.") from error
    if len(snapshot.history) != record.history_size or root != record.history_root:
        raise BadRecordError(f"The release history of {record.name} is not the one its record signed.")
    return snapshot


def _decode(document: bytes, name: str) -> Snapshot:
    match orjson.loads(document):
        case {"format": 1, "packument": packument, "torrents": dict(torrents), "history": list(history)}:
            return Snapshot(
                check_packument(packument, name),
                {str(version): _torrent(ref) for version, ref in torrents.items()},
                tuple(map(Event.from_json, history)),
            )
        case _:
            raise ValueError("a field is missing, or its format is unknown")


def _torrent(value: dict[str, Any]) -> TorrentRef:
    ref = TorrentRef(bytes.fromhex(value["v1"]), bytes.fromhex(value["v2"]), int(value["length"]))
    if len(ref.v1) != 20 or len(ref.v2) != 32 or ref.length <= 0:
        raise ValueError("an infohash or length of a wrong size")
    return ref
