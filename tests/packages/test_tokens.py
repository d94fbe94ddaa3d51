from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ForbiddenError, InvalidInputError, UnauthorizedError
from libreseed.packages.tokens import TokenLimits, read_limits

NOW = 1_700_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        # npm 10
        ({"readonly": False, "cidr_whitelist": []}, TokenLimits()),
        ({"readonly": True, "cidr_whitelist": []}, TokenLimits(writes=False)),
        ({"readonly": False, "cidr_whitelist": ["192.0.2.7/24"]}, TokenLimits(networks=("192.0.2.0/24",))),
        # npm 11 and 12
        ({"name": None}, TokenLimits(writes=False)),
        ({"packages_and_scopes_permission": "read-write", "packages_all": True}, TokenLimits()),
        (
            {"packages_and_scopes_permission": "read-write", "packages": ["tool"], "scopes": ["@acme", "other"]},
            TokenLimits(patterns=("tool", "@acme/*", "@other/*")),
        ),
        (
            {"packages_and_scopes_permission": "read-only", "packages": ["a"]},
            TokenLimits(writes=False, patterns=("a",)),
        ),
        ({"packages_and_scopes_permission": "no-access"}, TokenLimits(reads=False, writes=False)),
        ({"expires": 7, "bypass_2fa": True}, TokenLimits(writes=False, expires=NOW + 7 * DAY, bypasses_otp=True)),
        ({"orgs_permission": "no-access"}, TokenLimits(writes=False)),
    ],
)
def test_what_npm_sends(body: dict[str, Any], limits: TokenLimits) -> None:
    assert read_limits({"password": "secret", **body}, NOW) == limits


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"orgs": ["acme"]}, "no organizations"),
        ({"orgs_permission": "read-only"}, "no organizations"),
        ({"packages_and_scopes_permission": "read-write-stage-only"}, "read-write-stage-only"),
        ({"packages_and_scopes_permission": "read-write"}, "--packages-all"),
        ({"packages_all": True, "packages": ["x"]}, "not both"),
        ({"packages": ["a b"]}, "not an npm package name"),
        ({"packages": "x"}, "list"),
        ({"packages": [1]}, "texts"),
        ({"packages": ["x"] * 101}, "at most 100"),
        ({"scopes": ["*/x y"]}, "not an npm package name"),
        ({"cidr_whitelist": ["192.0.2.0/99"]}, "range of addresses"),
        ({"expires": 0}, "days"),
        ({"expires": 1e9}, "days"),
        ({"expires": True}, "days"),
        ({"expires": 10**6}, "days"),
        ({"readonly": "yes"}, "true or false"),
    ],
)
def test_what_cannot_be_kept_is_refused(body: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        read_limits(body, NOW)


@given(
    st.builds(
        TokenLimits,
        st.booleans(),
        st.booleans(),
        st.none() | st.lists(st.sampled_from(["a", "@b/*"])).map(tuple),
        st.lists(st.just("10.0.0.0/8")).map(tuple),
        st.none() | st.floats(0, 1e10),
        st.booleans(),
    )
)
def test_limits_are_read_as_they_were_written(limits: TokenLimits) -> None:
    assert TokenLimits.from_json(limits.as_json()) == limits


def test_what_was_stored_before_there_were_limits() -> None:
    assert TokenLimits.from_json({}) == TokenLimits()
    assert TokenLimits().is_full


def test_packages() -> None:
    limits = TokenLimits(patterns=("tool", "@acme/*"))
    limits.check_write("tool")
    limits.check_write("@acme/x")
    limits.check_read("tool")
    for check in (limits.check_write, limits.check_read):
        with pytest.raises(ForbiddenError):
            check("tools")
    with pytest.raises(ForbiddenError):
        limits.check_full()
    with pytest.raises(ForbiddenError, match="may only read"):
        TokenLimits(writes=False).check_write("tool")
    with pytest.raises(ForbiddenError):
        TokenLimits(reads=False).check_read("tool")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("192.0.3.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("x", False),
    ],
)
def test_addresses(address: str, inside: bool) -> None:
    limits = TokenLimits(networks=("192.0.2.0/24", "2001:db8::/32"))
    if inside:
        limits.check_use(address, NOW)
        return
    with pytest.raises(UnauthorizedError) as caught:
        limits.check_use(address, NOW)
    assert caught.value.challenge == "ipaddress"


def test_expiry() -> None:
    limits = TokenLimits(expires=NOW)
    limits.check_use("", NOW - 1)
    with pytest.raises(UnauthorizedError, match="expired"):
        limits.check_use("", NOW)
