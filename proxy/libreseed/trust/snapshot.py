"""Packument snapshots: the document about one package that a record points to by its SHA-512.

Source: docs/protocol.md, section 5. The blob is the document, canonical JSON, as a zlib stream (RFC 1950, level 6). A
mirror's snapshot carries nothing but the upstream's packument, so mirrors of the same upstream state make the same
document, and the same blob where their zlib packs alike.
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
"""The member `format` of the document."""


@dataclass(frozen=True, slots=True)
class TorrentRef:
    """The torrent of one version's tarball: v1 and v2 infohash (20 and 32 bytes), and the tarball's length in bytes."""

    v1: bytes
    v2: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The content of a snapshot. `torrents` is by version; it and `history` are empty in a mirror's snapshot."""

    packument: dict[str, Any]
    torrents: dict[str, TorrentRef] = field(default_factory=dict)
    history: tuple[Event, ...] = ()

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.packument["name"])

    def document(self) -> bytes:
        """Return the document: canonical JSON (docs/protocol.md, section 5, "Canonical form")."""
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
    """Return the blob of a document: a zlib stream of level 6 (blocking)."""
    return zlib.compress(document, 6)


def read_snapshot(blob: bytes, record: Record) -> Snapshot:
    """Return the snapshot in the blob that `record` points to, after refusals 2 to 7 of docs/protocol.md, section 5,
    "Reading". Refusal 1, of a blob that is too long, is the caller's, before it fetches one. Blocks.

    Raises BadRecordError: another blob or document than the record names, not one zlib stream, more than 256 MiB
    unpacked, not of the known form, of another package, or with another history.
    """
    # Refusal 2: length and SHA-512 of the blob.
    if len(blob) != record.snapshot.length or sha512(blob) != record.snapshot.sha512:
        raise BadRecordError(f"The snapshot of {record.name} is not the one its record signed.")
    try:
        unpacker = zlib.decompressobj()
        document = unpacker.decompress(blob, MAX_DOCUMENT)
    except zlib.error as error:
        raise BadRecordError(f"The snapshot of {record.name} is not packed as zlib.") from error
    # Refusal 3: exactly one stream, of at most MAX_DOCUMENT bytes unpacked, with the SHA-512 `d`.
    if not unpacker.eof or unpacker.unused_data or sha512(document) != record.document:
        raise BadRecordError(f"The snapshot of {record.name} does not unpack to the document its record signed.")
    try:  # refusals 4, 5 and 6; TypeError: an event nested too deep to be serialised for its leaf
        snapshot = _decode(document, record.name)
        root = history_root(snapshot.history)
    except (InvalidInputError, ValueError, TypeError, KeyError) as error:
        raise BadRecordError(f"The snapshot of {record.name} is malformed: {error}.") from error
    # Refusal 7: size and root of the history.
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
        case _:  # refusal 4
            raise ValueError("a field is missing, or its format is unknown")


def _torrent(value: dict[str, Any]) -> TorrentRef:
    ref = TorrentRef(bytes.fromhex(value["v1"]), bytes.fromhex(value["v2"]), int(value["length"]))
    # Refusal 5.
    if len(ref.v1) != 20 or len(ref.v2) != 32 or ref.length <= 0:
        raise ValueError("an infohash or length of a wrong size")
    return ref
