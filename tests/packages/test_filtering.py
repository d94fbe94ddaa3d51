import copy
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.packages.filtering import Filtered, filtered
from libreseed.packages.packument import REPLACED_BY, abbreviated, with_tarballs
from libreseed.packages.policy import Policy, read_policy

NOW = 1_700_000_000.0
DAY = 86_400.0


def packument(ages: dict[str, float], latest: str = "", **tags: str) -> dict[str, Any]:
    """Return a packument; `ages` are the days that its versions were released before NOW."""
    return {
        "name": "pkg",
        "dist-tags": {"latest": latest or list(ages)[-1], **tags},
        "versions": {
            version: {
                "name": "pkg",
                "version": version,
                "_id": f"pkg@{version}",
                "license": "MIT",
                "dist": {"tarball": f"http://registry.test/{version}.tgz", "integrity": f"sha512-{version}"},
            }
            for version in ages
        },
        "time": {
            "created": "2020",
            "modified": "2021",
            **{version: datetime.fromtimestamp(NOW - days * DAY, UTC).isoformat() for version, days in ages.items()},
        },
    }


def left(whole: dict[str, Any], table: dict[str, Any], *, own: bool = False) -> Filtered:
    return filtered(whole, read_policy(table), NOW, own=own)


def test_nothing_to_hide() -> None:
    whole = packument({"1.0.0": 9})
    assert left(whole, {"minimum-release-age": "7d"}) == Filtered(whole, {}, math.inf)


def test_what_is_hidden_is_nowhere_but_in_the_message() -> None:
    whole = packument({"1.0.0": 9, "1.1.0": 1, "1.2.0": 2}, next="1.2.0", old="1.0.0")
    whole |= {"stagedVersions": {"versions": {"1.2.0": {}}}, "_distfiles": {"1.1.0": 1}}
    before = copy.deepcopy(whole)
    found = left(whole, {"minimum-release-age": "7d"})
    assert whole == before
    shown = found.packument
    assert shown["versions"] == {"1.0.0": before["versions"]["1.0.0"]}
    assert shown["dist-tags"] == {"latest": "1.0.0", "old": "1.0.0"}
    assert shown["time"].keys() == {"created", "modified", "1.0.0"}
    assert shown.keys() == {"name", "dist-tags", "versions", "time", "policyRestrictions"}
    restrictions = shown["policyRestrictions"]
    assert list(restrictions["versions"]) == ["1.1.0", "1.2.0"]
    assert 'pkg@1.2.0 is blocked by the rule minimum-release-age = "7d"' in restrictions["message"]
    assert abbreviated(shown)["policyRestrictions"] == restrictions
    assert found.until == pytest.approx(NOW + 5 * DAY), "when 1.2.0 comes of age"


def test_the_message_stays_short() -> None:
    found = left(packument({f"1.0.{patch}": 1 for patch in range(500)}), {"block": ["pkg"]})
    message = found.packument["policyRestrictions"]["message"]
    assert message.startswith("pkg@1.0.499 is blocked by the rule")
    assert message.endswith("490 more versions are blocked.")


@pytest.mark.parametrize(
    ("versions", "latest", "block", "becomes"),
    [
        (["1.0.0", "1.1.0"], "1.1.0", "1.1.0", "1.0.0"),
        (["1.0.0", "1.1.0", "2.0.0"], "1.1.0", "1.1.0", "1.0.0"),
        (["1.1.0", "2.0.0", "3.0.0"], "1.1.0", "1.1.0", "3.0.0"),
        (["1.0.0", "2.0.0-rc.1", "2.0.0"], "2.0.0", "2.0.0", "1.0.0"),
        (["2.0.0-rc.1", "2.0.0-rc.2", "2.0.0"], "2.0.0", "2.0.0", "2.0.0-rc.2"),
        (["9.0.0", "10.0.0", "11.0.0"], "11.0.0", "11.0.0", "10.0.0"),
        (["garbage", "1.0.0"], "1.0.0", "1.0.0", None),
    ],
)
def test_latest(versions: list[str], latest: str, block: str, becomes: str | None) -> None:
    found = left(packument(dict.fromkeys(versions, 9.0), latest), {"block": [f"pkg@{block}"]})
    assert found.packument["dist-tags"].get("latest") == becomes


def test_latest_is_none_that_is_deprecated_if_possible() -> None:
    whole = packument({"1.0.0": 9, "1.1.0": 9, "1.2.0": 9})
    whole["versions"]["1.1.0"]["deprecated"] = "broken"
    assert left(whole, {"block": ["pkg@1.2.0"]}).packument["dist-tags"] == {"latest": "1.0.0"}


def test_no_latest_comes_from_nowhere() -> None:
    whole = packument({"1.0.0": 9, "1.1.0": 9})
    whole["dist-tags"] = {"next": "1.1.0", "odd": {}, "gone": "7.0.0"}
    assert left(whole, {"block": ["pkg@1.1.0"]}).packument["dist-tags"] == {}


def test_a_replaced_version() -> None:
    whole = packument({"1.2.0": 9, "1.3.0": 9})
    found = left(whole, {"replace": {"pkg@1.3.0": "1.2.0"}})
    assert list(found.refused) == ["1.3.0"], "its own tarball is refused"
    shown = found.packument
    manifest = shown["versions"]["1.3.0"]
    assert (manifest["version"], manifest["_id"], manifest[REPLACED_BY]) == ("1.3.0", "pkg@1.3.0", "1.2.0")
    assert manifest["dist"] == whole["versions"]["1.2.0"]["dist"]
    assert "1.2.0 is given out in place of 1.3.0" in manifest["deprecated"]
    assert "policyRestrictions" not in shown
    assert shown["dist-tags"] == {"latest": "1.3.0"}
    ours = with_tarballs(shown, "http://localhost")["versions"]
    assert {entry["dist"]["tarball"] for entry in ours.values()} == {"http://localhost/pkg/-/pkg-1.2.0.tgz"}


@pytest.mark.parametrize(
    "table",
    [
        {"replace": {"pkg@1.3.0": "7.0.0"}},
        {"replace": {"pkg@1.3.0": "1.2.0"}, "block": ["pkg@1.2.0"]},
        {"replace": {"pkg@1.3.0": "1.2.0", "pkg@1.2.0": "1.1.0"}},
        {"replace": {"pkg@1.3.0": "1.2.0"}, "block": ["pkg@1.3.0"]},
        {"replace": {"pkg@1.3.0": "1.2.0"}, "licenses": ["ISC"]},
    ],
    ids=["absent", "blocked", "replaced", "both", "licence"],
)
def test_no_replacement(table: dict[str, Any]) -> None:
    assert "1.3.0" not in left(packument({"1.1.0": 9, "1.2.0": 9, "1.3.0": 9}), table).packument["versions"]


def test_what_is_published_here_is_blocked_and_replaced_only() -> None:
    whole = packument({"1.0.0": 1, "1.1.0": 1, "1.2.0": 1})
    whole["versions"]["1.0.0"]["deprecated"] = "old"
    table = {
        "minimum-release-age": "7d",
        "licenses": ["ISC"],
        "deprecated": "hide",
        "block": ["pkg@1.2.0"],
        "replace": {"pkg@1.1.0": "1.0.0"},
    }
    found = left(whole, table, own=True)
    assert list(found.packument["versions"]) == ["1.0.0", "1.1.0"]
    assert found.packument["versions"]["1.1.0"][REPLACED_BY] == "1.0.0"


VERSIONS = st.builds(
    lambda number, rest: ".".join(map(str, number)) + rest,
    st.tuples(*[st.integers(0, 3)] * 3),
    st.sampled_from(["", "", "-rc.1", "-beta", "+build"]),
)
RANGES = st.sampled_from(["", "@1", "@<2.0.0", "@>=1.1.0 <2", "@2.0.0", "@^0.1.0 || 3"])
PATTERNS = st.lists(RANGES.map("pkg".__add__), max_size=2)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "minimum-release-age": st.just("7d"),
        "minimum-release-age-exceptions": PATTERNS,
        "block": PATTERNS,
        "allow": PATTERNS,
        "replace": st.dictionaries(st.sampled_from(["pkg@1", "pkg@2.0.0", "pkg@>2"]), VERSIONS, max_size=2),
        "deprecated": st.sampled_from(["show", "hide"]),
        "licenses": st.sampled_from([["MIT"], ["ISC"]]),
    },
)


@st.composite
def packuments(draw: st.DrawFn) -> dict[str, Any]:
    ages = draw(st.dictionaries(VERSIONS, st.floats(0, 14), min_size=1, max_size=8))
    whole = packument(ages)
    whole["dist-tags"] = draw(st.dictionaries(st.sampled_from(["latest", "next"]), st.sampled_from(list(ages))))
    for version in ages:
        whole["versions"][version]["deprecated"] = draw(st.sampled_from(["", "", "old"]))
        whole["versions"][version]["license"] = draw(st.sampled_from(["MIT", "ISC", ""]))
        if draw(st.integers(0, 5)) == 0:
            del whole["time"][version]
    return whole


def judged(policy: Policy, whole: dict[str, Any], version: str) -> bool:
    refusal = policy.refuses("pkg", version, whole["versions"][version], whole["time"].get(version), NOW)
    return refusal is None


@given(packuments(), TABLES)
def test_all_that_is_shown_passes_and_nothing_else_is_missing(whole: dict[str, Any], table: dict[str, Any]) -> None:
    policy = read_policy(table)
    found = filtered(whole, policy, NOW, own=False)
    shown = found.packument["versions"]
    for version, manifest in shown.items():
        assert judged(policy, whole, manifest.get(REPLACED_BY, version))
    for version in whole["versions"].keys() - shown.keys():
        assert not judged(policy, whole, version)
        assert version in found.packument["policyRestrictions"]["versions"]
        assert version not in found.packument["time"]
    assert found.refused.keys() == {version for version in whole["versions"] if not judged(policy, whole, version)}
    assert set(found.packument["dist-tags"].values()) <= shown.keys()
    if shown and "latest" in whole["dist-tags"]:
        assert "latest" in found.packument["dist-tags"]
    for tag, version in whole["dist-tags"].items():
        if version in shown:
            assert found.packument["dist-tags"][tag] == version


@given(packuments(), TABLES)
def test_once_is_enough(whole: dict[str, Any], table: dict[str, Any]) -> None:
    once = left(whole, {key: value for key, value in table.items() if key != "replace"}).packument
    twice = left(once, {key: value for key, value in table.items() if key != "replace"}).packument
    assert twice == once


@given(packuments(), TABLES)
def test_it_changes_when_it_says(whole: dict[str, Any], table: dict[str, Any]) -> None:
    found = left(whole, table)
    if found.until < math.inf:
        policy = read_policy(table)
        assert filtered(whole, policy, (NOW + found.until) / 2, own=False).refused.keys() == found.refused.keys()
        assert len(filtered(whole, policy, found.until, own=False).refused) < len(found.refused)
