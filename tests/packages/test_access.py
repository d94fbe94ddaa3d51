from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ConfigError, ForbiddenError, UnauthorizedError
from libreseed.packages.access import AccessRules, read_access

RULES = read_access(
    {
        "@acme/*": {"read": ["$authenticated"], "publish": ["team"], "unpublish": ["ann"]},
        "@acme/open-*": {"read": ["$all"]},
        "@acme/open-secret": {"read": ["carl"]},
        "*": {"publish": ["$all"]},
    },
    {"team": ["ann", "bob"]},
)


@pytest.mark.parametrize(
    ("action", "name", "allowed"),
    [
        ("read", "@acme/tool", ["ann", "bob", "carl"]),
        ("read", "@acme/open-tool", [None, "ann", "bob", "carl"]),
        ("read", "@acme/open-secret", ["carl"]),
        ("read", "lodash", [None, "ann", "bob", "carl"]),
        ("publish", "@acme/tool", ["ann", "bob"]),
        ("publish", "@acme/open-tool", ["ann", "bob"]),
        ("publish", "lodash", [None, "ann", "bob", "carl"]),
        ("unpublish", "@acme/open-secret", ["ann"]),
        ("unpublish", "lodash", ["ann", "bob", "carl"]),
    ],
)
def test_the_most_specific_rule_that_speaks_of_it(action: Any, name: str, allowed: list[str | None]) -> None:
    assert [who for who in (None, "ann", "bob", "carl") if RULES.allows(action, name, who)] == allowed


@given(st.permutations(["@acme/*", "@acme/open-*", "@acme/open-secret", "*"]))
def test_the_order_of_rules_is_nothing(order: list[str]) -> None:
    table = {pattern: {"read": [f"reader{len(pattern)}"]} for pattern in order}
    assert read_access(table, {}).members("read", "@acme/open-secret") == {"reader17"}


def test_without_rules() -> None:
    rules = AccessRules()
    assert rules.is_public("x")
    assert rules.allows("publish", "x", "ann")
    assert not rules.allows("publish", "x", None)
    assert not rules.decides("publish", "x")
    assert RULES.decides("unpublish", "@acme/x")
    assert not RULES.decides("unpublish", "x")


def test_who_is_not_logged_in_may_do_that_and_who_may_not_is_refused() -> None:
    with pytest.raises(UnauthorizedError, match="logged in"):
        RULES.check("read", "@acme/tool", None)
    with pytest.raises(ForbiddenError, match="bob may not unpublish @acme/tool"):
        RULES.check("unpublish", "@acme/tool", "bob")
    RULES.check("unpublish", "@acme/tool", "ann")


def test_for_the_anonymous_only() -> None:
    rules = read_access({"x": {"read": ["$anonymous"]}}, {})
    assert rules.is_public("x")
    assert not rules.allows("read", "x", "ann")


def test_an_account_named_like_a_group_is_no_member() -> None:
    assert not RULES.allows("publish", "@acme/tool", "team")


@pytest.mark.parametrize(
    ("access", "groups", "says"),
    [
        (1, {}, "access must be a table"),
        ({"x": []}, {}, 'access."x" must be a table'),
        ({"a b": {}}, {}, 'access."a b" cannot be'),
        ({"x": {"write": ["ann"]}}, {}, "unknown key 'write'"),
        ({"x": {"read": "ann"}}, {}, 'access."x".read must be a list of names'),
        ({"x": {"read": [1]}}, {}, "must be a list of names"),
        ({"x": {"read": [""]}}, {}, "must be a list of names"),
        ({"x": {"read": ["$everybody"]}}, {}, r"cannot have the member '\$everybody'"),
        ({"x": {"publish": ["$anonymous"]}}, {}, r"publish cannot have the member '\$anonymous'"),
        ({}, {"$all": ["ann"]}, r"groups\.\$all cannot be"),
        ({}, {"team": ["$all"]}, r"groups\.team cannot be"),
        ({}, {"team": "ann"}, r"groups\.team must be a list"),
        ({}, [], "groups must be a table"),
    ],
)
def test_wrong_tables(access: Any, groups: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_access(access, groups)
