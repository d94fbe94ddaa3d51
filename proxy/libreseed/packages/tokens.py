"""The limits of a token: parsed from the request that creates it, checked at each use.

Source: `npm token create`. npm 10 sends `{password, readonly, cidr_whitelist}`; npm 11 and 12 send `{name, password,
description, packages, packages_all, scopes, orgs, packages_and_scopes_permission, orgs_permission, expires (days),
cidr_whitelist, bypass_2fa}`, each only if given, and never `readonly`.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libreseed.errors import ForbiddenError, InvalidInputError, UnauthorizedError
from libreseed.packages.names import MAX_LENGTH, check_pattern, matches

MAX_DAYS = 3650
"""Days until a token expires, at most."""
_ENTRIES = 100
_DAY = 86_400.0
_READ, _WRITE, _NONE = "read-only", "read-write", "no-access"


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token may do. `patterns`: the names of packages that it is for, None for all. `networks`: the CIDR ranges
    that it may be used from, () for any address. `expires`: seconds since the epoch, None for never. `bypasses_otp`:
    writes with it need no one-time password."""

    reads: bool = True
    writes: bool = True
    patterns: tuple[str, ...] | None = None
    networks: tuple[str, ...] = ()
    expires: float | None = None
    bypasses_otp: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the token may do all that its account may, such as change the password."""
        return self.reads and self.writes and self.patterns is None

    def covers(self, name: str) -> bool:
        """Tell whether the token is for the package `name`."""
        return self.patterns is None or any(matches(name, pattern) for pattern in self.patterns)

    def may_read(self, name: str) -> bool:
        """Tell whether the token carries its account's right to read `name`."""
        return self.reads and self.covers(name)

    def check_read(self, name: str) -> None:
        """Raise ForbiddenError unless `may_read`."""
        if not self.may_read(name):
            raise ForbiddenError(f"This token is not for {name}.", hint="Use another of your tokens.")

    def check_use(self, address: str, now: float) -> None:
        """Raise UnauthorizedError when the token has expired at `now` (seconds since the epoch), or is used from an IP
        address outside of `networks`."""
        if self.expires is not None and now >= self.expires:
            raise UnauthorizedError("This token has expired.", hint="Log in again, or make another.")
        if self.networks and not _is_within(address, self.networks):
            raise UnauthorizedError(
                f"This token may be used from {', '.join(self.networks)} only, not from {address}.",
                challenge="ipaddress",
            )

    def check_write(self, name: str) -> None:
        """Raise ForbiddenError unless the token may change the package `name`."""
        if not self.writes:
            raise ForbiddenError(
                "This token may only read.",
                hint="Use another, or make one: npm token create --packages-and-scopes-permission=read-write"
                " --packages-all",
            )
        if not self.covers(name):
            raise ForbiddenError(f"This token may change {', '.join(self.patterns or ())} only, not {name}.")

    def check_full(self) -> None:
        """Raise ForbiddenError unless the token may manage its account (`is_full`)."""
        if not self.is_full:
            raise ForbiddenError("This token is limited: it may not change its account.", hint="Use one of npm login.")

    def as_json(self) -> dict[str, Any]:
        """Return the JSON that is stored, which `from_json` reads."""
        return {
            "reads": self.reads,
            "writes": self.writes,
            "patterns": self.patterns,
            "networks": self.networks,
            "expires": self.expires,
            "bypasses_otp": self.bypasses_otp,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "TokenLimits":
        """Return the limits that `as_json` wrote; a missing field means no limit."""
        values = dict(stored)
        if values.get("patterns") is not None:
            values["patterns"] = tuple(values["patterns"])
        return cls(**{**values, "networks": tuple(values.get("networks", ()))})


def read_limits(body: Mapping[str, Any], now: float) -> TokenLimits:
    """Return the limits that the body of POST /-/npm/v1/tokens asks for. `now`: seconds since the epoch.

    npm 11 and later do not send whether `--read-only` was given; without a permission their token may only read, as on
    npm's own registry. Raises InvalidInputError: a field of another form, or a limit that this registry does not have.
    """
    if _list(body, "orgs") or body.get("orgs_permission") not in (None, _NONE):
        raise InvalidInputError("This registry has no organizations that a token could be for.")
    permission = body.get("packages_and_scopes_permission")
    if permission not in (None, _READ, _WRITE, _NONE):
        raise InvalidInputError(
            f"This registry has no tokens with the permission {str(permission)[:80]!r}.",
            hint=f"There are {_READ}, {_WRITE} and {_NONE}.",
        )
    patterns = _patterns(body)
    if "readonly" in body:
        writes = not _flag(body, "readonly") and permission in (None, _WRITE)
    else:
        writes = permission == _WRITE
        if writes and patterns is None and not _flag(body, "packages_all"):
            raise InvalidInputError("Say what the token may write: --packages, --scopes or --packages-all.")
    return TokenLimits(
        reads=permission != _NONE,
        writes=writes,
        patterns=patterns,
        networks=tuple(_network(entry) for entry in _list(body, "cidr_whitelist")),
        expires=_expiry(body.get("expires"), now),
        bypasses_otp=_flag(body, "bypass_2fa"),
    )


def _patterns(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    packages, scopes = _list(body, "packages"), _list(body, "scopes")
    if _flag(body, "packages_all"):
        if packages or scopes:
            raise InvalidInputError("A token is for all packages, or for some: not both.")
        return None
    wanted = [*packages, *(f"@{scope.removeprefix('@').removesuffix('/*')}/*" for scope in scopes)]
    return tuple(check_pattern(pattern) for pattern in wanted) or None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise InvalidInputError(f"{text[:80]!r} is no range of addresses such as 192.0.2.0/24.") from error


def _expiry(days: object, now: float) -> float | None:
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 0 < days <= MAX_DAYS:
        raise InvalidInputError(f"A token expires in 1 to {MAX_DAYS} days.")
    return now + days * _DAY


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return any((mapped or ip) in ipaddress.ip_network(network) for network in networks)


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key)
    if value not in (None, True, False):
        raise InvalidInputError(f"{key!r} is true or false.")
    return bool(value)


def _list(body: Mapping[str, Any], key: str) -> list[str]:
    value = body.get(key) or []
    if not isinstance(value, list) or len(value) > _ENTRIES:
        raise InvalidInputError(f"{key!r} is a list of at most {_ENTRIES} texts.")
    if not all(isinstance(entry, str) and 0 < len(entry) <= MAX_LENGTH for entry in value):
        raise InvalidInputError(f"{key!r} holds texts of at most {MAX_LENGTH} characters.")
    return value
