from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ForbiddenError, InvalidInputError, NotFoundError
from libreseed.packages.changes import (
    check_maintainer,
    with_deprecations,
    with_maintainers,
    with_tag,
    with_versions,
    without_tag,
)

PACKUMENT: dict[str, Any] = {
    "_id": "pkg",
    "name": "pkg",
    "description": "Something.",
    "dist-tags": {"latest": "1.10.0", "next": "2.0.0-rc.1", "old": "1.9.0"},
    "versions": {version: {"version": version} for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0-rc.2")},
    "time": {"created": "2024", "1.9.0": "2024", "1.10.0": "2024", "2.0.0-rc.1": "2024", "2.0.0-rc.2": "2024"},
    "maintainers": [{"name": "ann", "email": ""}],
}


def test_deprecation_of_some_versions() -> None:
    changed = with_deprecations(PACKUMENT, {"1.9.0": {"deprecated": "Old."}, "1.10.0": {}})
    assert changed["versions"]["1.9.0"] == {"version": "1.9.0", "deprecated": "Old."}
    assert changed["versions"]["1.10.0"] == {"version": "1.10.0"}
    assert with_deprecations(changed, {"1.9.0": {"deprecated": ""}}) == PACKUMENT
    assert with_deprecations(changed, {"1.9.0": {}}) == PACKUMENT
    assert with_deprecations(changed, {}) == changed


def test_a_deprecation_of_another_form_may_stay() -> None:
    """Some package.json say `"deprecated": true`; a client sends it back as it got it."""
    published = PACKUMENT | {"versions": {"1.0.0": {"deprecated": True}}}
    assert with_deprecations(published, {"1.0.0": {"deprecated": True}}) == published


@pytest.mark.parametrize(
    "manifests",
    [
        {"9.9.9": {"deprecated": ""}},
        {"1.9.0": None},
        {"1.9.0": {"deprecated": ["Old."]}},
        {"1.9.0": {"deprecated": "x" * 4097}},
    ],
)
def test_deprecations_that_cannot_be(manifests: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        with_deprecations(PACKUMENT, manifests)


@pytest.mark.parametrize("tag", ["", "1", "1.x", "v1", "^1.0.0", "*", "a b", "a\n", "x" * 129])
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(InvalidInputError, match="no dist-tag"):
        with_tag(PACKUMENT, tag, "1.9.0")


@pytest.mark.parametrize("tag", ["beta", "v1-lts", "next-11", "latest", "ünstable"])
def test_a_tag_comes_and_goes(tag: str) -> None:
    changed = with_tag(PACKUMENT, tag, "1.9.0")
    assert changed["dist-tags"] == {**PACKUMENT["dist-tags"], tag: "1.9.0"}
    if tag != "latest":
        assert without_tag(changed, tag) == PACKUMENT


def test_tags_and_versions_that_are_not_there() -> None:
    with pytest.raises(NotFoundError):
        with_tag(PACKUMENT, "beta", "9.9.9")
    with pytest.raises(InvalidInputError):
        with_tag(PACKUMENT, "beta", ["1.9.0"])
    with pytest.raises(NotFoundError):
        without_tag(PACKUMENT, "beta")
    with pytest.raises(InvalidInputError, match="latest"):
        without_tag(PACKUMENT, "latest")


@pytest.mark.parametrize(
    ("kept", "tags"),
    [
        (["1.9.0", "2.0.0-rc.2"], {"latest": "1.9.0", "old": "1.9.0"}),
        (["2.0.0-rc.1", "2.0.0-rc.2"], {"latest": "2.0.0-rc.2", "next": "2.0.0-rc.1"}),
        (["1.9.0", "1.10.0"], {"latest": "1.10.0", "old": "1.9.0"}),
    ],
)
def test_latest_is_always_a_version_that_is_left(kept: list[str], tags: dict[str, str]) -> None:
    changed = with_versions(PACKUMENT, kept)
    assert (list(changed["versions"]), changed["dist-tags"]) == (kept, tags)
    assert changed["time"] == PACKUMENT["time"], "remembered, so that none is published again"


def test_nothing_left() -> None:
    assert with_versions(PACKUMENT, ()) == {
        "_id": "pkg",
        "name": "pkg",
        "dist-tags": {},
        "versions": {},
        "time": PACKUMENT["time"],
        "maintainers": PACKUMENT["maintainers"],
    }


def test_no_version_comes_back_without_its_tarball() -> None:
    with pytest.raises(InvalidInputError, match=r"pkg@9\.9\.9 is not published"):
        with_versions(PACKUMENT, [*PACKUMENT["versions"], "9.9.9"])


@given(st.sets(st.sampled_from(sorted(PACKUMENT["versions"]))))
def test_every_tag_points_to_a_version(kept: set[str]) -> None:
    changed = with_versions(PACKUMENT, kept)
    assert set(changed["versions"]) == kept
    assert set(changed["dist-tags"].values()) <= kept
    assert ("latest" in changed["dist-tags"]) == bool(kept)


def test_maintainers() -> None:
    people = [{"name": "bob", "email": "b@example.test", "url": "x"}, {"name": "ann"}, {"name": "bob", "email": 1}]
    changed = with_maintainers(PACKUMENT, people)
    assert changed["maintainers"] == [{"name": "bob"}, {"name": "ann"}]
    check_maintainer(changed, "bob")
    with pytest.raises(ForbiddenError, match="is maintained by bob, ann, not by eve"):
        check_maintainer(changed, "eve")
    for wrong in ([], ["ann"], [{"name": ""}], [{"name": "x" * 65}], [{"name": f"n{n}"} for n in range(101)]):
        with pytest.raises(InvalidInputError):
            with_maintainers(PACKUMENT, wrong)
