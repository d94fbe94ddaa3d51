import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import BadRecordError
from libreseed.trust.history import Event, events_between, history_root, integrity_of, merkle_root, revision
from libreseed.trust.records import EMPTY_ROOT

# The leaves that Certificate Transparency's reference tests use, and the root of each prefix of them.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_rfc_6962_vectors(size: int) -> None:
    assert merkle_root(LEAVES[:size]).hex() == ROOTS[size]


def test_an_empty_history_has_the_empty_root() -> None:
    assert history_root([]) == EMPTY_ROOT


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=24), st.data())
def test_the_past_cannot_be_rewritten(leaves: list[bytes], data: st.DataObject) -> None:
    """Whoever knows an earlier size and root notices any change of what was before."""
    size = data.draw(st.integers(1, len(leaves)))
    known = merkle_root(leaves[:size])
    changed = list(leaves)
    changed[data.draw(st.integers(0, size - 1))] += b"!"
    assert merkle_root(leaves[:size]) == known
    assert merkle_root(changed[:size]) != known


@given(st.lists(st.binary(max_size=4), max_size=24), st.binary(max_size=4))
def test_every_append_changes_the_root(leaves: list[bytes], leaf: bytes) -> None:
    assert merkle_root([*leaves, leaf]) != merkle_root(leaves)


def test_a_leaf_is_no_node() -> None:
    """Without RFC 6962's prefixes, two leaves and the one leaf made of their hashes would have one root."""
    pair = hashlib.sha256(b"\0a").digest() + hashlib.sha256(b"\0b").digest()
    assert merkle_root([b"a", b"b"]) != merkle_root([pair])
    assert merkle_root([b"a", b"b"]) != merkle_root([b"\x01" + pair])


def test_events() -> None:
    event = Event("publish", 1700000000000, {"version": "1.0.0", "integrity": "sha512-…"})
    assert Event.from_json(event.as_json()) == event
    other_order = Event("publish", 1700000000000, {"integrity": "sha512-…", "version": "1.0.0"})
    assert event.encode() == other_order.encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"type": "publish", "time": 1},
        {"type": "rename", "time": 1, "detail": {}},
        {"type": "publish", "time": "1", "detail": {}},
        {"type": "publish", "time": 1, "detail": []},
        {"type": "publish", "time": 1, "detail": {}, "more": 1},
    ],
)
def test_unknown_events(value: object) -> None:
    with pytest.raises(BadRecordError):
        Event.from_json(value)


def state(tags: dict[str, str], *owners: str, **deprecated: str | None) -> dict[str, Any]:
    """A packument of the versions that `deprecated` names."""
    versions: dict[str, Any] = {}
    for key, message in deprecated.items():
        manifest: dict[str, Any] = {"dist": {"integrity": f"sha512-{key}"}}
        versions[key] = manifest if message is None else {**manifest, "deprecated": message}
    return {"dist-tags": tags, "versions": versions, "maintainers": [{"name": owner} for owner in owners]}


@pytest.mark.parametrize(
    ("old", "new", "events"),
    [
        (
            None,
            state({"next": "a", "latest": "a"}, "ann", a=None),
            [
                ("publish", {"version": "a", "integrity": "sha512-a"}),
                ("dist-tag", {"tag": "latest", "version": "a"}),
                ("dist-tag", {"tag": "next", "version": "a"}),
            ],
        ),
        (state({}, a=None), state({}, a="Old."), [("deprecate", {"version": "a", "message": "Old."})]),
        (state({}, a="Old."), state({}, a=None), [("deprecate", {"version": "a", "message": ""})]),
        (state({}, a=None), state({}, a=""), []),
        (
            state({"latest": "b", "beta": "b"}, a=None, b="Old."),
            state({"latest": "a"}, a=None),
            [
                ("unpublish", {"version": "b"}),
                ("dist-tag", {"tag": "beta", "version": None}),
                ("dist-tag", {"tag": "latest", "version": "a"}),
            ],
        ),
        (state({}, "ann"), state({}, "ann", "bob"), [("owner", {"maintainers": ["ann", "bob"]})]),
        (state({"x": "a"}, "ann", a="Old."), state({"x": "a"}, "ann", a="Old."), []),
    ],
)
def test_what_was_done(old: Any, new: Any, events: list[tuple[str, Any]]) -> None:
    done = events_between(old, new, 7)
    assert [(event.type, event.detail) for event in done] == events
    assert all(event.time == 7 and Event.from_json(event.as_json()) == event for event in done)


def test_a_revision_never_comes_again() -> None:
    there, back = (events_between(state({}, a=one), state({}, a=other), 1) for one, other in ((None, "x"), ("x", None)))
    history: tuple[Event, ...] = ()
    revisions = []
    for event in [*there, *back] * 3:
        history = (*history, event)
        revisions.append(revision(history))
    assert len(set(revisions)) == 6
    assert revisions[0].startswith("1-")
    assert revision(history) == revisions[-1]


def test_the_integrity_of_a_version() -> None:
    history = events_between(None, state({}, a=None, b=None), 1)
    assert (integrity_of(history, "b"), integrity_of(history, "c")) == ("sha512-b", None)
