import pytest

from libreseed.errors import InvalidInputError
from libreseed.packages.patterns import parse_pattern


@pytest.mark.parametrize(
    ("text", "name", "version", "covered"),
    [
        ("left-pad", "left-pad", "1.3.0", True),
        ("left-pad", "left-pad2", "1.3.0", False),
        ("left-pad", "@s/left-pad", "1.3.0", False),
        ("left-pad@*", "left-pad", "1.3.0-rc.1", True),
        ("@evil/*", "@evil/x", "1.0.0", True),
        ("@evil/*", "evil", "1.0.0", False),
        ("*", "@evil/x", "1.0.0", True),
        ("chalk@5.6.1", "chalk", "5.6.1", True),
        ("chalk@5.6.1", "chalk", "5.6.1+build", True),
        ("chalk@5.6.1", "chalk", "v5.6.1", True),
        ("chalk@5.6.1", "chalk", "5.6.2", False),
        ("chalk@5.6.1", "chalk", "5.6.1-rc.1", False),
        ("debug@>=4.4.2 <4.4.3", "debug", "4.4.2", True),
        ("debug@>=4.4.2 <4.4.3", "debug", "4.4.3", False),
        ("@s/*@1.x || 3.x", "@s/n", "3.1.4", True),
        ("@s/*@1.x || 3.x", "@s/n", "2.0.0", False),
        ("a@1.0.0 - 2.0.0", "a", "1.5.0", True),
    ],
)
def test_what_is_covered(text: str, name: str, version: str, covered: bool) -> None:
    for doubtful in (True, False):
        assert parse_pattern(text).covers(name, version, doubtful=doubtful) is covered


@pytest.mark.parametrize(
    ("text", "version"),
    [("a@>=4.4.2 <4.4.3", "4.4.3-beta.1"), ("a@^1.0.0", "1.5.0-beta"), ("a@1.x", "garbage"), ("a@1.x", "")],
)
def test_what_is_in_doubt(text: str, version: str) -> None:
    assert [parse_pattern(text).covers("a", version, doubtful=doubtful) for doubtful in (True, False)] == [True, False]


@pytest.mark.parametrize(
    "text",
    ["", "@", "a b", "a@", "a@ ", "a@latest", "a@1.0.0 y", "a@not a range", "a@1@2", "../a", "a" * 1001, 5, None],
)
def test_what_is_no_pattern(text: object) -> None:
    with pytest.raises(InvalidInputError):
        parse_pattern(text)
