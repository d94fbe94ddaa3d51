"""Every vector in docs/protocol.md, computed anew from its inputs."""

import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import orjson
import pytest
import umsgpack

from libreseed.network.overlay.claims import HeldBlob, pack_self, read_blobs, read_claim
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.messages import pack_introduction, read_joined
from libreseed.network.overlay.recordbook import target_of
from libreseed.packages.integrity import content_key, sha512
from libreseed.packages.names import key_text
from libreseed.packages.packument import portable
from libreseed.swarm.bundle import Member, make_bundle, pack_members
from libreseed.swarm.torrents import Torrent, make_torrent, piece_length, pieces_root
from libreseed.trust.history import Event, history_root, merkle_root
from libreseed.trust.items import SignedItem, salt_for, signed_bytes
from libreseed.trust.keys import PrivateKey
from libreseed.trust.records import BlobRef, Record, pack_endpoint, read_record, sign_record
from libreseed.trust.snapshot import Snapshot, pack, read_snapshot

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()

Vector: TypeAlias = dict[str, list[str]]
"""The values of each line's key, in their order."""


def vectors() -> Iterator[tuple[str, Vector]]:
    for kind, block in re.findall(r"^```text\nvector: ([^\n]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        vector: Vector = {}
        for line in block.splitlines():
            key, _, value = line.partition(": ")
            vector.setdefault(key, []).append(value)
        yield kind, vector


def computed_key(given: Vector, _: Path) -> dict[str, object]:
    text = given["text"][0]
    return {"salt": salt_for(text), "overlay target": target_of(text)}


def torrent_of(text: str, folder: Path) -> Torrent:
    pattern, times = text.split(" x ")
    data = bytes.fromhex(pattern) * int(times)
    file = folder / sha512(data).hex()
    file.write_bytes(data)
    return make_torrent(file, sha512(data))


def info_of(metadata: bytes) -> bytes:
    return metadata.removeprefix(b"d4:info").partition(b"12:piece layers")[0]


def computed_torrent(given: Vector, folder: Path) -> dict[str, object]:
    torrent = torrent_of(given["input"][0], folder)
    return {
        "sha512": torrent.ref.sha512,
        "piece length": piece_length(torrent.ref.length),
        "v1": torrent.ref.v1,
        "v2": torrent.ref.v2,
        "info": info_of(torrent.metadata),
    }


def computed_bundle(given: Vector, folder: Path) -> dict[str, object]:
    torrents = [torrent_of(text, folder) for text in given["input"]]
    members = [Member(each.ref.sha512, each.ref.length, pieces_root(each.metadata)) for each in torrents]
    bundle = make_bundle(members)
    return {"v2": bundle.v2, "info": info_of(bundle.metadata), "members": pack_members(members)}


def computed_json(given: Vector, _: Path) -> dict[str, object]:
    value = orjson.loads(given["input"][0])
    document = Snapshot({"name": "x", "value": value}).document()
    return {"output": document.partition(b'"value":')[2].removesuffix(b'},"torrents":{}}')}


def computed_mirror_snapshot(given: Vector, _: Path) -> dict[str, object]:
    document = Snapshot(portable(orjson.loads(given["packument"][0]))).document()
    return {"document": document, **digests(document)}


def computed_publisher_snapshot(given: Vector, _: Path) -> dict[str, object]:
    return digests(given["document"][0].encode())


def digests(document: bytes) -> dict[str, object]:
    blob = pack(document)
    return {"document sha512": sha512(document), "blob": blob, "blob sha512": sha512(blob)}


def computed_history(given: Vector, _: Path) -> dict[str, object]:
    events = [Event.from_json(orjson.loads(leaf)) for leaf in given.get("leaf", [])]
    assert [event.encode().decode() for event in events] == given.get("leaf", [])
    return {"root": history_root(events)}


def computed_merkle(given: Vector, _: Path) -> dict[str, object]:
    return {"root": merkle_root([bytes.fromhex(leaf) for leaf in given["leaf"]])}


def computed_record(given: Vector, _: Path) -> dict[str, object]:
    key = PrivateKey.parse(given["seed"][0])
    item = sign_record(key, record_in(given), int(given["seq"][0]))
    assert read_record(item, given["name"][0], int(given["seq"][0]) / 1000) == record_in(given)
    assert SignedItem.decode(item.encode()) == item
    return {
        "public key": key.public,
        "salt": item.salt,
        "v": item.value,
        "signed bytes": signed_bytes(item.salt, item.seq, item.value),
        "sig": item.signature,
        "bep44 target": item.target,
        "overlay target": target_of(key_text(given["name"][0])),
        "item": item.encode(),
    }


def record_in(given: Vector) -> Record:
    def raw(key: str) -> bytes:
        return bytes.fromhex(given[key][0])

    return Record(
        type="mirror" if given["type"] == ["mirror"] else "package",
        name=given["name"][0],
        expiry=int(given["expiry"][0]),
        snapshot=BlobRef(
            raw("snapshot v1"), raw("snapshot v2"), int(given["snapshot length"][0]), raw("snapshot sha512")
        ),
        document=raw("document sha512"),
        history_size=int(given["history size"][0]),
        history_root=raw("history root"),
        seeders=tuple(map(endpoint, given["seeders"][0].split())) if given["seeders"] != ["none"] else (),
    )


def computed_claim(given: Vector, _: Path) -> dict[str, object]:
    digest, v1, v2 = (bytes.fromhex(given[key][0]) for key in ("sha512", "v1", "v2"))
    blob = HeldBlob(digest, v1, v2, int(given["length"][0]))
    packed = blob.target + blob.pack_reference()
    assert list(read_blobs(packed)) == [(target_of(content_key(digest)), blob.pack_reference())]
    holder = endpoint(given["endpoint"][0])
    claim = blob.pack_reference() + pack_endpoint(holder)
    own = pack_self(blob.pack_reference(), holder[1])
    assert read_claim(claim, digest, ("192.0.2.9", 1)) == read_claim(own, digest, (holder[0], 1))
    return {"target": blob.target, "packed blob": packed, "claim": claim, "own claim": own}


def computed_request(given: Vector, _: Path) -> dict[str, object]:
    arguments = [value_of(argument) for argument in given["arguments"][0].split()]
    head = b"\x00" + bytes.fromhex(given["message id"][0])
    return {"datagram": head + umsgpack.packb([given["method"][0], arguments])}


def computed_answer(given: Vector, _: Path) -> dict[str, object]:
    sender = [value_of(field) for field in given["sender"][0].split()]
    peers = tuple(map(endpoint, given["peers"][0].split()))
    introduction = Introduction(int(given["number"][0]), int(given["count"][0]), peers)
    fields = [*sender, *pack_introduction(introduction)]
    assert read_joined(fields, "192.0.2.1") == introduction
    return {"datagram": b"\x01" + bytes.fromhex(given["message id"][0]) + umsgpack.packb(fields)}


def value_of(field: str) -> int | bytes:
    kind, value = field.split(":")
    return bytes.fromhex(value) if kind == "bin" else int(value)


def endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.partition("|")
    return host, int(port)


INPUTS = {
    "key": {"text"},
    "torrent": {"input"},
    "bundle": {"input"},
    "canonical json": {"input"},
    "mirror snapshot": {"packument"},
    "publisher snapshot": {"document"},
    "history": {"leaf"},
    "merkle": {"leaf"},
    "record": {
        *("seed", "type", "name", "expiry", "seq", "seeders", "history size", "history root", "document sha512"),
        *("snapshot v1", "snapshot v2", "snapshot length", "snapshot sha512"),
    },
    "claim": {"sha512", "v1", "v2", "length", "endpoint"},
    "request": {"message id", "method", "arguments"},
    "answer": {"message id", "sender", "number", "count", "peers"},
}
COMPUTED: dict[str, Callable[[Vector, Path], dict[str, object]]] = {
    "key": computed_key,
    "torrent": computed_torrent,
    "bundle": computed_bundle,
    "canonical json": computed_json,
    "mirror snapshot": computed_mirror_snapshot,
    "publisher snapshot": computed_publisher_snapshot,
    "history": computed_history,
    "merkle": computed_merkle,
    "record": computed_record,
    "claim": computed_claim,
    "request": computed_request,
    "answer": computed_answer,
}
TEXTS = {"salt", "output", "document"}


@pytest.mark.parametrize(("kind", "given"), list(vectors()))
def test_each_line_of_a_vector_is_what_the_code_computes(kind: str, given: Vector, tmp_path: Path) -> None:
    outputs = given.keys() - INPUTS[kind]
    assert outputs
    computed = COMPUTED[kind](given, tmp_path)
    if "ng" in zlib.ZLIB_RUNTIME_VERSION and "blob" in outputs:
        outputs -= {"blob", "blob sha512"}  # another zlib may pack alike input differently
    for key in outputs:
        value = computed[key]
        if isinstance(value, bytes):
            value = value.decode() if key in TEXTS else value.hex()
        assert given[key] == [str(value)], key


def test_there_are_vectors_of_every_kind() -> None:
    assert {kind for kind, _ in vectors()} == COMPUTED.keys()
    assert TEXT.count("\nvector: ") == len(list(vectors()))


def test_the_record_vectors_point_to_the_snapshot_vectors(tmp_path: Path) -> None:
    records = [record_in(given) for kind, given in vectors() if kind == "record" and given["name"] == ["left"]]
    snapshots = {given["blob sha512"][0]: given for kind, given in vectors() if kind.endswith("snapshot")}
    assert len(records) == len(snapshots)
    for record in records:
        given = snapshots[record.snapshot.sha512.hex()]
        blob = bytes.fromhex(given["blob"][0])
        file = tmp_path / sha512(blob).hex()
        file.write_bytes(blob)
        assert make_torrent(file, sha512(blob)).ref == record.snapshot
        assert read_snapshot(blob, record).document().decode() == given["document"][0]


def test_the_table_of_piece_lengths_is_the_rule() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 10
    for size, length in rows:
        assert piece_length(int(size)) == int(length)
        assert piece_length(int(size) + 1) == 2 * int(length)
    assert piece_length(1 << 40) == 16 << 20
