from typing import Any

import pytest

from libreseed.packages.listing import list_package

PACKUMENT: dict[str, Any] = {
    "name": "@acme/http",
    "dist-tags": {"latest": "1.1.0"},
    "time": {"1.1.0": "2024-01-01T00:00:00.000Z"},
    "maintainers": [{"name": "ann", "email": "ann@acme.test"}, "Bob <bob@acme.test>", 5],
    "versions": {
        "1.1.0": {
            "description": "A server.",
            "keywords": ["http", "server", 7],
            "homepage": "https://acme.test",
            "_npmUser": {"name": "bob"},
        },
        "2.0.0-beta": {"description": "Not yet.", "deprecated": ""},
    },
}


def test_the_latest_version_speaks_for_the_package() -> None:
    listing = list_package(PACKUMENT)
    assert listing is not None
    assert listing.package == {
        "name": "@acme/http",
        "scope": "acme",
        "version": "1.1.0",
        "description": "A server.",
        "keywords": ["http", "server"],
        "date": "2024-01-01T00:00:00.000Z",
        "publisher": {"username": "bob"},
        "maintainers": [{"username": "ann", "email": "ann@acme.test"}, {"username": "Bob"}],
        "links": {"homepage": "https://acme.test"},
    }
    assert (listing.name, listing.description) == ("@acme/http", "A server.")
    assert (listing.keywords, listing.maintainers) == ("http server", "ann Bob")


@pytest.mark.parametrize("tags", [{}, {"latest": "9.9.9"}, {"latest": {}}])
def test_without_a_latest_version_the_last_one_does(tags: dict[str, Any]) -> None:
    listing = list_package(PACKUMENT | {"dist-tags": tags})
    assert listing is not None
    assert listing.package["version"] == "2.0.0-beta"


def test_nothing_is_listed_without_versions() -> None:
    assert list_package({"name": "pkg", "dist-tags": {}, "versions": {}}) is None


@pytest.mark.parametrize(
    "junk", [None, 5, "text, more", ["a"], {"name": 5}, [{"name": []}], "x" * 10**6, ["y"] * 10**5]
)
def test_what_is_no_metadata_is_left_out_and_all_is_bounded(junk: Any) -> None:
    fields = ("description", "keywords", "maintainers", "homepage", "_npmUser", "deprecated", "time")
    manifest = dict.fromkeys(fields, junk)
    listing = list_package({"name": "pkg", "dist-tags": {}, "versions": {"1.0.0": manifest}, **manifest})
    assert listing is not None
    assert sum(map(len, (listing.description, listing.keywords, listing.maintainers))) < 10_000
