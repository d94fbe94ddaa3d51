import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.packages.packument import REPLACED_BY, abbreviated, find_version, manifest_of_tarball, with_tarballs
from libreseed.packages.partial import read_for_forms, read_versions_lazily, write_form

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["dependencies", "scripts", "deprecated", "engines", "readme", "é\n"]), JSON)
VERSION = st.from_regex(r"[0-9]\.[0-9]\.[0-9](-[a-z]{1,3})?", fullmatch=True)


@st.composite
def packuments(draw: st.DrawFn) -> dict[str, Any]:
    """A packument as an upstream may have it, with parts of every kind."""
    versions = {}
    for version in draw(st.lists(VERSION, unique=True, max_size=4)):
        dist = {"tarball": f"https://registry.test/pkg/-/pkg-{version}.tgz"} | draw(FIELDS)
        replaced = draw(st.just({}) | st.just({REPLACED_BY: "1.2.3"}))
        versions[version] = draw(FIELDS) | {"version": version, "dist": dist} | replaced
    tags = draw(st.dictionaries(st.sampled_from(["latest", "next"]), JSON))
    return draw(FIELDS) | {"name": "pkg", "dist-tags": tags, "versions": versions}


@given(packuments(), st.sampled_from([None, 2]), st.booleans())
def test_parts_are_what_they_are_in_the_whole(packument: dict[str, Any], indent: int | None, escaped: bool) -> None:
    body = json.dumps(packument, indent=indent, ensure_ascii=escaped).encode()
    whole = orjson.loads(body)
    lazy = read_versions_lazily(body)
    assert {**lazy, "versions": dict(lazy["versions"])} == whole
    assert list(lazy["versions"]) == list(whole["versions"])
    assert list(reversed(lazy["versions"])) == list(reversed(whole["versions"]))
    assert len(lazy["versions"]) == len(whole["versions"])
    for short in (False, True):
        forms = [with_tarballs(each, "http://localhost:4880") for each in (read_for_forms(body), whole)]
        partial, full = map(abbreviated, forms) if short else forms
        assert orjson.loads(write_form(partial)) == full


def test_one_version_is_found_without_the_others() -> None:
    manifest = {"dist": {"tarball": "https://registry.test/pkg/-/pkg-1.0.0.tgz"}}
    body = orjson.dumps({"name": "pkg", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest, "1.1.0": {}}})
    packument = read_versions_lazily(body)
    assert find_version(packument, "latest") == find_version(packument, "~1.0") == "1.0.0"
    assert manifest_of_tarball(packument, "pkg-1.0.0.tgz") == packument["versions"]["1.0.0"] == manifest
    assert "2.0.0" not in packument["versions"]
    with pytest.raises(KeyError):
        packument["versions"]["2.0.0"]


def test_of_what_stands_there_twice_the_last_counts() -> None:
    versions = b'"versions": {"1.0.0": 1}, "versions": {"1.0.0": {"dist": {"x": 1, "x": 2}}}'
    body = b'{"name": "a", "name": "pkg", "dist-tags": {}, ' + versions + b"}"
    assert read_for_forms(body) == orjson.loads(body)
    assert read_versions_lazily(body)["versions"]["1.0.0"] == {"dist": {"x": 2}}
