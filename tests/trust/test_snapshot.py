import zlib
from dataclasses import replace
from typing import Any

import orjson
import pytest

from libreseed.errors import BadRecordError
from libreseed.packages.integrity import sha512
from libreseed.trust import snapshot as snapshots
from libreseed.trust.history import Event, history_root
from libreseed.trust.records import BlobRef, Record
from libreseed.trust.snapshot import Snapshot, TorrentRef, pack, read_snapshot

PACKUMENT: dict[str, Any] = {
    "name": "lodash",
    "dist-tags": {"latest": "1.0.0"},
    "versions": {"1.0.0": {"name": "lodash", "version": "1.0.0", "dist": {"tarball": "lodash/-/lodash-1.0.0.tgz"}}},
}
HISTORY = (Event("publish", 1, {"version": "1.0.0"}), Event("dist-tag", 2, {"tag": "latest"}))
SNAPSHOT = Snapshot(PACKUMENT, {"1.0.0": TorrentRef(b"1" * 20, b"2" * 32, 10)}, HISTORY)


def record_of(blob: bytes, document: bytes, name: str = "lodash", history: tuple[Event, ...] = HISTORY) -> Record:
    ref = BlobRef(bytes(20), bytes(32), len(blob), sha512(blob))
    return Record("package", name, 1, ref, sha512(document), len(history), history_root(history))


def refused(document: bytes, **options: Any) -> str:
    """Sign and pack `document` correctly, and return why it is refused."""
    blob = pack(document)
    with pytest.raises(BadRecordError) as caught:
        read_snapshot(blob, record_of(blob, document, **options))
    return caught.value.message


def changed(**fields: object) -> bytes:
    return orjson.dumps(orjson.loads(SNAPSHOT.document()) | fields, option=orjson.OPT_SORT_KEYS)


def test_round_trip() -> None:
    document = SNAPSHOT.document()
    blob = pack(document)
    assert read_snapshot(blob, record_of(blob, document)) == SNAPSHOT


def test_mirrors_of_one_state_make_the_same_bytes() -> None:
    other_order = dict(reversed(PACKUMENT.items()))
    assert pack(Snapshot(other_order).document()) == pack(Snapshot(PACKUMENT).document())


def test_tampered_blob() -> None:
    document = SNAPSHOT.document()
    blob = pack(document)
    record = record_of(blob, document)
    for wrong in (blob[:-1], blob + b"\0", blob[:-1] + bytes([blob[-1] ^ 1])):
        with pytest.raises(BadRecordError, match="not the one its record signed"):
            read_snapshot(wrong, record)


def test_other_document_than_signed() -> None:
    blob = pack(SNAPSHOT.document())
    with pytest.raises(BadRecordError, match="does not unpack"):
        read_snapshot(blob, record_of(blob, b"{}"))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    document = SNAPSHOT.document()
    monkeypatch.setattr(snapshots, "MAX_DOCUMENT", len(document) - 1)
    assert "does not unpack" in refused(document)


@pytest.mark.parametrize("junk", [b"\0", b"junk", zlib.compress(b"{}")])
def test_bytes_after_the_end(junk: bytes) -> None:
    document = SNAPSHOT.document()
    blob = pack(document) + junk
    with pytest.raises(BadRecordError, match="does not unpack"):
        read_snapshot(blob, record_of(blob, document))


@pytest.mark.parametrize("blob", [b"hello", pack(SNAPSHOT.document())[:-4]])
def test_not_or_not_wholly_packed(blob: bytes) -> None:
    with pytest.raises(BadRecordError):
        read_snapshot(blob, record_of(blob, SNAPSHOT.document()))


def test_snapshot_of_another_name() -> None:
    assert "not a packument of underscore" in refused(SNAPSHOT.document(), name="underscore")


@pytest.mark.parametrize("history", [(), HISTORY[:1], HISTORY[::-1], (*HISTORY, HISTORY[0])])
def test_other_history_than_signed(history: tuple[Event, ...]) -> None:
    assert "release history" in refused(SNAPSHOT.document(), history=history)


def test_history_of_the_signed_size_only() -> None:
    blob = pack(SNAPSHOT.document())
    record = replace(record_of(blob, SNAPSHOT.document()), history_size=3)
    with pytest.raises(BadRecordError, match="release history"):
        read_snapshot(blob, record)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        changed(format=2),
        changed(packument=None),
        changed(packument={"name": "lodash"}),
        changed(torrents=[]),
        changed(torrents={"1.0.0": None}),
        changed(torrents={"1.0.0": []}),
        changed(torrents={"1.0.0": {"v1": "00", "v2": "00" * 32, "length": 1}}),
        changed(torrents={"1.0.0": {"v1": "00" * 20, "v2": "00" * 32, "length": 0}}),
        changed(torrents={"1.0.0": {"v1": "00" * 20, "v2": "00" * 32, "length": None}}),
        changed(torrents={"1.0.0": {"v1": "xx" * 20, "v2": "00" * 32, "length": 1}}),
        changed(torrents={"1.0.0": {"v1": 5, "v2": "00" * 32, "length": 1}}),
        changed(history=None),
        changed(history=[{}]),
    ],
)
def test_malformed_documents(document: bytes) -> None:
    assert refused(document)


def test_a_history_nested_too_deeply_to_be_hashed() -> None:
    """Whatever is wrong with a document, it is one of our errors: here JSON that can be read but not written."""
    event = {"type": "publish", "time": 1, "detail": {"deep": orjson.Fragment(b"[" * 300 + b"]" * 300)}}
    assert refused(changed(history=[event]), history=HISTORY[:1])
