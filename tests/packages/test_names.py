import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.packages.names import (
    base_name,
    check_name,
    check_pattern,
    check_publishable_name,
    is_name,
    key_text,
    matches,
    scope_of,
    tarball_file,
    tarball_path,
    version_of_tarball,
)

# The cases of npm's own validate-npm-package-name: valid for new packages, for old ones only, for none.
NEW = [
    "some-package",
    "example.com",
    "under_score",
    "period.js",
    "123numeric",
    "@npm/thingy",
    "@npm-zors/money-time.js",
    "a" * 214,
    "http",
    "~tilde",
]
OLD = ["crazy!", "CAPITAL-LETTERS", "CapitaL", "(parens)", "it's", "star*", "@npm-zors/money!time.js", "@Scope/x"]
NONE = [
    "",
    "a" * 215,
    ".start-with-period",
    "_start-with-underscore",
    "contain:colons",
    " leading-space",
    "trailing-space ",
    "s/l/a/s/h/e/s",
    "node_modules",
    "favicon.ico",
    "NODE_MODULES",
    "@npm/node_modules",
    "@npm/.package",
    "@npm/_package",
    "@/x",
    "@npm/",
    "@npm",
]
HOSTILE = [
    ".",
    "..",
    "../x",
    "@./x",
    "@../x",
    "@a/..",
    "@a/.",
    "@a/../x",
    "a/b",
    "/a",
    "a/",
    "a\\b",
    "a\0b",
    "a\n",
    "a%2fb",
    "a?b",
    "a#b",
    "a b",
    "ﬁ",
    "é",
    "аpple",
    "-\u202e",
]


@pytest.mark.parametrize("name", NEW)
def test_new_names(name: str) -> None:
    assert check_publishable_name(name) == name


@pytest.mark.parametrize("name", OLD)
def test_old_names_are_read_but_not_published(name: str) -> None:
    assert check_name(name) == name
    with pytest.raises(InvalidInputError, match="cannot be published"):
        check_publishable_name(name)


@pytest.mark.parametrize("name", NONE + HOSTILE)
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)
    for check in (check_name, check_publishable_name):
        with pytest.raises(InvalidInputError):
            check(name)


@given(st.text("aA0@/._-~%\\\0 é", max_size=12))
def test_no_name_leaves_its_folder(name: str) -> None:
    """A name becomes a path of a URL and of a folder, so each of its parts must be a plain one."""
    if not is_name(name):
        return
    parts = name.split("/")
    assert len(parts) == 1 + name.startswith("@")
    assert not {"", ".", "..", "@", "@.", "@.."} & set(parts)
    assert name.isascii()
    assert name.isprintable()


def test_parts_of_a_name() -> None:
    assert (scope_of("@babel/core"), base_name("@babel/core")) == ("@babel", "core")
    assert (scope_of("lodash"), base_name("lodash")) == ("", "lodash")
    assert key_text("@babel/core") == "libreseed:@babel/core"


def test_tarballs() -> None:
    assert tarball_file("@babel/core", "7.0.0") == "core-7.0.0.tgz"
    assert tarball_path("@babel/core", "7.0.0") == "@babel/core/-/core-7.0.0.tgz"
    assert tarball_path("a", "1.0.0+b") == "a/-/a-1.0.0%2Bb.tgz"
    assert version_of_tarball("@babel/core", "core-7.0.0-beta.1.tgz") == "7.0.0-beta.1"


@pytest.mark.parametrize(
    "file", ["", "core", "core-.tgz", "core-1.0.0.zip", "corejs-1.0.0.tgz", "babel-core-1.0.0.tgz"]
)
def test_files_of_another_package(file: str) -> None:
    with pytest.raises(InvalidInputError):
        version_of_tarball("@babel/core", file)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a", "a", True),
        ("ab", "a", False),
        ("ab", "a*", True),
        ("@s/a", "@s/*", True),
        ("@s/a", "*", True),
        ("@t/a", "@s/*", False),
        ("A", "a*", False),
    ],
)
def test_patterns(name: str, pattern: str, expected: bool) -> None:
    assert check_pattern(pattern) == pattern
    assert matches(name, pattern) is expected


@pytest.mark.parametrize("pattern", ["", "a b", "[ab]", "a?", "@s/", "../*"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(InvalidInputError):
        check_pattern(pattern)
