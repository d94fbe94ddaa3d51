from typing import Any

import pytest

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.packages.packument import (
    abbreviated,
    check_packument,
    find_version,
    manifest_of_tarball,
    portable,
    upstream_tarball,
    with_tarballs,
)


def packument(*versions: str, name: str = "pkg", **tags: str) -> dict[str, Any]:
    return {
        "_rev": "5-abc",
        "name": name,
        "readme": "long",
        "dist-tags": {"latest": versions[0], **tags},
        "time": {"created": "2020", "modified": "2021", **dict.fromkeys(versions, "2021")},
        "versions": {
            version: {
                "name": name,
                "version": version,
                "description": "not abbreviated",
                "dist": {"tarball": f"http://registry.test/files/{version}.tgz", "integrity": "sha512-x"},
            }
            for version in versions
        },
    }


def test_abbreviated_form() -> None:
    whole = packument("1.0.0")
    whole["versions"]["1.0.0"] |= {
        "libc": ["musl"],
        "os": ["linux"],
        "dependencies": {"a": "1"},
        "_hasShrinkwrap": True,
    }
    short = abbreviated(whole)
    assert short == {
        "name": "pkg",
        "dist-tags": {"latest": "1.0.0"},
        "time": whole["time"],
        "modified": "2021",
        "versions": {
            "1.0.0": {
                "name": "pkg",
                "version": "1.0.0",
                "dist": whole["versions"]["1.0.0"]["dist"],
                "libc": ["musl"],
                "os": ["linux"],
                "dependencies": {"a": "1"},
                "_hasShrinkwrap": True,
            }
        },
    }
    assert "description" in whole["versions"]["1.0.0"], "the whole one is not touched"


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ({"install": "x"}, True),
        ({"preinstall": "x"}, True),
        ({"postinstall": "x"}, True),
        ({"test": "x"}, None),
        (5, None),
    ],
)
def test_install_scripts_are_told(scripts: object, expected: bool | None) -> None:
    whole = packument("1.0.0")
    whole["versions"]["1.0.0"]["scripts"] = scripts
    manifest = abbreviated(whole)["versions"]["1.0.0"]
    assert manifest.get("hasInstallScript") is expected
    assert "scripts" not in manifest


def test_abbreviated_form_without_time() -> None:
    whole = packument("1.0.0")
    del whole["time"]
    assert abbreviated(whole).keys() == {"name", "dist-tags", "versions"}


def test_tarballs_lead_to_us() -> None:
    whole = packument("1.0.0-a+b", name="@s/pkg")
    ours = with_tarballs(whole, "http://localhost:4880")
    url = "http://localhost:4880/@s/pkg/-/pkg-1.0.0-a%2Bb.tgz"
    assert ours["versions"]["1.0.0-a+b"]["dist"] == {"tarball": url, "integrity": "sha512-x"}
    assert "registry.test" in whole["versions"]["1.0.0-a+b"]["dist"]["tarball"]


def test_portable_form() -> None:
    carried = portable(packument("1.0.0") | {"_id": "pkg", "users": {"a": True}})
    assert carried.keys() == {"name", "dist-tags", "time", "versions"}
    assert carried["versions"]["1.0.0"]["dist"]["tarball"] == "pkg/-/pkg-1.0.0.tgz"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1.0.0", "1.0.0"),
        ("latest", "1.2.0"),
        ("next", "2.0.0-rc.1"),
        ("^1.0.0", "1.2.0"),
        ("~1.0.0", "1.0.5"),
        ("1.x || >=2.5.0 || 5.0.0 - 7.2.3", "1.2.0"),
        ("*", "1.2.0"),
        ("", "1.2.0"),
        (">=2.0.0-rc.0", "2.0.0-rc.1"),
    ],
)
def test_manifests(wanted: str, found: str) -> None:
    whole = packument("1.2.0", "1.0.0", "1.0.5", "2.0.0-rc.1", next="2.0.0-rc.1")
    assert find_version(whole, wanted) == found


@pytest.mark.parametrize("wanted", ["9.9.9", "^3", "beta", "not a range", "1.0.0-x", "-", "../1.0.0", "9" * 400])
def test_no_such_manifest(wanted: str) -> None:
    with pytest.raises(NotFoundError):
        find_version(packument("1.0.0", gone="0.0.1"), wanted)


def test_a_version_of_before_semver_hides_no_other() -> None:
    assert find_version(packument("1.2.0", "garbage", "1.0"), "^1.0.0") == "1.2.0"
    assert find_version(packument("1.2.0", "garbage"), "garbage") == "garbage"


def test_manifest_of_a_tarball() -> None:
    whole = packument("1.0.0", "1.0.0-a", name="@s/pkg")
    assert manifest_of_tarball(whole, "pkg-1.0.0-a.tgz")["version"] == "1.0.0-a"
    assert manifest_of_tarball(whole, "1.0.0.tgz")["version"] == "1.0.0", "by the file name in the upstream's URL"
    for file in ("pkg-2.0.0.tgz", "pkg-.tgz", "", "files"):
        with pytest.raises(NotFoundError):
            manifest_of_tarball(whole, file)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://a/b.tgz", True),
        ("https://a/b.tgz", True),
        ("file:///etc/passwd", False),
        ("a/-/a.tgz", False),
        (5, False),
    ],
)
def test_only_web_addresses_are_fetched(url: object, found: bool) -> None:
    assert (upstream_tarball({"dist": {"tarball": url}}) is not None) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"error": "not found"},
        packument("1.0.0", name="other"),
        packument("1.0.0") | {"versions": []},
        packument("1.0.0") | {"dist-tags": None},
        packument("1.0.0") | {"versions": {"1.0.0": None}},
        packument("1.0.0") | {"versions": {"1.0.0": {}}},
        packument("1.0.0") | {"versions": {"1.0.0": {"dist": "x"}}},
    ],
)
def test_what_is_no_packument(value: object) -> None:
    with pytest.raises(InvalidInputError):
        check_packument(value, "pkg")


def test_a_packument() -> None:
    assert check_packument(packument("1.0.0"), "pkg")
    assert check_packument({"name": "pkg", "versions": {}, "dist-tags": {}}, "pkg")
