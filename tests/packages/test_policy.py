from typing import Any

import pytest

from libreseed.errors import ConfigError
from libreseed.packages.policy import Policy, read_policy

NOW = 1_700_000_000.0
DAY = 86_400
OLD, YOUNG = "2023-11-01T00:00:00.000Z", "2023-11-14T00:00:00.000Z"
"""About 13 days and 1 day before NOW."""


def refusal(table: dict[str, Any], name: str, version: str, released: object = OLD, **manifest: Any) -> str | None:
    found = read_policy(table).refuses(name, version, manifest, released, NOW)
    return found.sentence(f"{name}@{version}") if found else None


def test_nothing_is_refused_without_rules() -> None:
    assert read_policy({}) == Policy()
    assert not Policy().has_rules
    assert refusal({}, "a", "1.0.0", None, deprecated="old") is None


@pytest.mark.parametrize(
    ("table", "spec", "says"),
    [
        ({"block": ["a"]}, "a@1.0.0", 'a@1.0.0 is blocked by the rule block "a" of this registry.'),
        ({"block": ["a@2.x"]}, "a@1.0.0", None),
        ({"block": ["a@2.x"]}, "a@2.0.0", 'block "a@2.x"'),
        ({"block": ["a"], "allow": ["a@1.x"]}, "a@1.0.0", None),
        ({"block": ["a"], "allow": ["a@1.x"]}, "a@1.1.0-rc.1", 'block "a"'),
        ({"block": ["*"], "allow": ["@corp/*"]}, "@corp/x@1.0.0", None),
        ({"block": ["*"], "allow": ["@corp/*"]}, "x@1.0.0", 'block "*"'),
        ({"replace": {"a@2.0.0": "1.0.0"}}, "a@2.0.0", 'replace "a@2.0.0" = "1.0.0" of this registry: 1.0.0 takes'),
        ({"replace": {"a": "1.0.0"}}, "a@1.0.0", None),
    ],
)
def test_names_and_numbers(table: dict[str, Any], spec: str, says: str | None) -> None:
    found = refusal(table, *_split(spec))
    assert (found is None) if says is None else (found is not None and says in found)


def _split(spec: str) -> tuple[str, str]:
    name, _, version = spec.rpartition("@")
    return name, version


def test_age() -> None:
    table = {"minimum-release-age": "7d", "minimum-release-age-exceptions": ["@corp/*", "b@1.x"]}
    assert refusal(table, "a", "1.0.0", OLD) is None
    young = refusal(table, "a", "1.0.0", YOUNG)
    assert young is not None
    assert 'minimum-release-age = "7d" of this registry: it can be had from 2023-11-21 00:00:00 UTC on.' in young
    assert refusal(table, "@corp/a", "1.0.0", YOUNG) is None
    assert refusal(table, "b", "1.0.0", YOUNG) is None
    assert refusal(table, "b", "2.0.0", YOUNG) is not None
    assert refusal({**table, "allow": ["a"]}, "a", "1.0.0", YOUNG) is not None, "the age has exceptions of its own"


@pytest.mark.parametrize("released", [None, "", "soon", 5, "9999-12-31T23:59:59Z", "2023-13-01"])
def test_nobody_knows_the_age(released: object) -> None:
    assert refusal({"minimum-release-age": "7d"}, "a", "1.0.0", released) is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 0), ("0", 0), ("30s", 30), ("90m", 5400), ("12h", 43200), ("7 d", 7 * DAY), ("2w", 14 * DAY)],
)
def test_times(text: str, seconds: float) -> None:
    assert read_policy({"minimum-release-age": text}).age == seconds
    assert read_policy({"minimum-release-age": "3d"}, text).age == (seconds if text not in ("",) else 3 * DAY)


def test_deprecated() -> None:
    assert refusal({"deprecated": "show"}, "a", "1.0.0", deprecated="use b") is None
    assert refusal({"deprecated": "hide"}, "a", "1.0.0", deprecated="") is None
    assert "it is deprecated (use b)" in str(refusal({"deprecated": "hide"}, "a", "1.0.0", deprecated="use b"))
    assert refusal({"deprecated": "hide"}, "a", "1.0.0", deprecated=True) is not None
    assert refusal({"deprecated": "hide", "allow": ["a"]}, "a", "1.0.0", deprecated="use b") is None


def test_licences() -> None:
    table = {"licenses": ["MIT"]}
    assert refusal(table, "a", "1.0.0", license="(MIT OR ISC)") is None
    assert "its licence, ISC, is not in that list" in str(refusal(table, "a", "1.0.0", license="ISC"))
    assert "it names no licence" in str(refusal(table, "a", "1.0.0"))
    assert refusal({**table, "no-license": "allow"}, "a", "1.0.0") is None
    assert refusal({**table, "allow": ["a"]}, "a", "1.0.0", license="ISC") is None


def test_whole_names() -> None:
    policy = read_policy({"block": ["a", "b@*", "c@1", "d"], "allow": ["d@1"]})
    assert [policy.refuses_name(name) is not None for name in "abcde"] == [True, True, False, False, False]


def test_what_must_be_known() -> None:
    blocks = read_policy({"block": ["a"], "replace": {"b@1.0.0": "1.0.1"}})
    assert [blocks.about(name).has_rules for name in "abc"] == [True, True, False]
    assert not blocks.needs_metadata("a", "1.0.0")
    aged = read_policy({"minimum-release-age": "7d", "minimum-release-age-exceptions": ["a@1.x"]})
    assert aged.about("c").has_rules
    assert aged.about("c").needs_metadata("c", "1.0.0")
    assert [aged.needs_metadata("a", version) for version in ("1.0.0", "2.0.0", "")] == [False, True, True]
    assert not aged.reads_manifest("a", "2.0.0")
    assert read_policy({"licenses": ["MIT"]}).reads_manifest("a", "1.0.0")
    assert not read_policy({"deprecated": "hide", "allow": ["a"]}).needs_metadata("a", "1.0.0")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ([], "is a table"),
        ({"blocks": []}, "unknown key 'blocks'"),
        ({"block": "a"}, "block is a list"),
        ({"block": [5]}, "block: '5' is no pattern"),
        ({"block": ["a@latest"]}, "'latest' of 'a@latest' is no version"),
        ({"allow": ["a b"]}, "allow: 'a b' is not an npm package name"),
        ({"minimum-release-age": 7}, "minimum-release-age is 7"),
        ({"minimum-release-age": "7"}, "minimum-release-age is '7'"),
        ({"minimum-release-age": "-7d"}, "which is no time"),
        ({"minimum-release-age-exceptions": ["@"]}, "minimum-release-age-exceptions: "),
        ({"replace": ["a"]}, "replace is a table"),
        ({"replace": {"a@1": "2"}}, "'2', in place of 'a@1', is no exact version"),
        ({"replace": {"a@1": 2}}, "is no exact version"),
        ({"deprecated": True}, "deprecated is True"),
        ({"licenses": [""]}, "'' is no SPDX identifier"),
        ({"no-license": "maybe"}, "no-license is 'maybe'"),
        ({"unknown": "deny"}, "unknown is 'deny'"),
    ],
)
def test_what_is_no_policy(table: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_policy(table)
    assert says in caught.value.message
