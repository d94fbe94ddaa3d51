"""Who may read, publish and unpublish which packages, by name pattern.

For each action separately, the rule with the exact name counts, else the one with the longest matching pattern. A
member is an account, a group of the table `[groups]`, or `$all`, `$authenticated` (who is logged in), `$anonymous`
(who is not).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from libreseed.errors import ConfigError, ForbiddenError, InvalidInputError, UnauthorizedError
from libreseed.packages.names import check_pattern, matches

Action = Literal["read", "publish", "unpublish"]

_ACTIONS: tuple[Action, ...] = get_args(Action)
_ALL, _AUTHENTICATED, _ANONYMOUS = "$all", "$authenticated", "$anonymous"
_SPECIAL = frozenset({_ALL, _AUTHENTICATED, _ANONYMOUS})
_DEFAULTS: Mapping[Action, frozenset[str]] = {
    "read": frozenset({_ALL}),
    "publish": frozenset({_AUTHENTICATED}),
    "unpublish": frozenset({_AUTHENTICATED}),
}


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A name or pattern, and the members for each action that the rule has, groups replaced by their accounts."""

    pattern: str
    members: Mapping[Action, frozenset[str]]


@dataclass(frozen=True, slots=True)
class AccessRules:
    """All rules. With none, everybody reads, and every account publishes."""

    rules: tuple[AccessRule, ...] = field(default=())

    def decides(self, action: Action, name: str) -> bool:
        """Tell whether a rule says who may do `action` with the package `name`. Where none does, only its maintainers
        may change it."""
        return self.members(action, name) is not None

    def allows(self, action: Action, name: str, account: str | None) -> bool:
        """Tell whether `account`, None for who is not logged in, may do `action` with the package `name`."""
        members = self.members(action, name)
        if members is None:
            members = _DEFAULTS[action]
        if account is None:
            return not members.isdisjoint({_ALL, _ANONYMOUS})
        return not members.isdisjoint({_ALL, _AUTHENTICATED, account})

    def is_public(self, name: str) -> bool:
        """Tell whether everybody may read the package `name`, so that it may be shared with other nodes."""
        return not self.rules or self.allows("read", name, None)

    def check(self, action: Action, name: str, account: str | None) -> None:
        """Raise an error unless `allows`: UnauthorizedError (401) without an account, ForbiddenError (403) with one."""
        if self.allows(action, name, account):
            return
        if account is None:
            raise UnauthorizedError(f"To {action} {name} you must be logged in here.", hint="Log in with: npm login")
        raise ForbiddenError(
            f"{account} may not {action} {name} here.", hint="Who may, stands in [access] of the node's --config file."
        )

    def members(self, action: Action, name: str) -> frozenset[str] | None:
        """Return the accounts and special members that may do `action`, None when no rule says so."""
        matching = [rule for rule in self.rules if action in rule.members and matches(name, rule.pattern)]
        best = max(matching, key=lambda rule: (rule.pattern == name, len(rule.pattern)), default=None)
        return best.members[action] if best else None


def read_access(access: object, groups: object) -> AccessRules:
    """Read the tables `[access]` and `[groups]` of the configuration file. Raises ConfigError that names the key: a
    value of another form, a name that is no pattern, an unknown action, or a group with "$" in its name or members."""
    known = {name: _names(f"groups.{name}", members) for name, members in _table("groups", groups).items()}
    for name, members in known.items():
        if name in _SPECIAL or any(member.startswith("$") for member in members):
            raise ConfigError(f"groups.{name} cannot be: names with '$' are not for groups, nor in them.")
    return AccessRules(
        tuple(_read_rule(pattern, rule, known) for pattern, rule in _table("access", access).items()),
    )


def _read_rule(pattern: str, rule: object, groups: Mapping[str, frozenset[str]]) -> AccessRule:
    key = f'access."{pattern}"'
    try:
        check_pattern(pattern)
    except InvalidInputError as error:
        raise ConfigError(f"{key} cannot be: {error.message}", hint=error.hint) from error
    members: dict[Action, frozenset[str]] = {}
    table = _table(key, rule)
    for action in _ACTIONS:
        if action in table:
            members[action] = _resolve(f"{key}.{action}", table[action], groups, writes=action != "read")
    unknown = sorted(table.keys() - set(_ACTIONS))
    if unknown:
        raise ConfigError(f"{key} has an unknown key {unknown[0]!r}.", hint=f"Known keys: {', '.join(_ACTIONS)}.")
    return AccessRule(pattern, members)


def _resolve(key: str, value: object, groups: Mapping[str, frozenset[str]], *, writes: bool) -> frozenset[str]:
    """Return the members with groups replaced by their accounts. The name of a group never means an account of that
    name, which anybody could sign up."""
    members: set[str] = set()
    special = _SPECIAL - {_ANONYMOUS} if writes else _SPECIAL
    for member in _names(key, value):
        if member.startswith("$") and member not in special:
            raise ConfigError(
                f"{key} cannot have the member {member!r}.", hint=f"Possible: {', '.join(sorted(special))}."
            )
        members |= groups.get(member, {member})
    return frozenset(members)


def _names(key: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ConfigError(f'{key} must be a list of names, such as ["ann", "$authenticated"].')
    return frozenset(value)


def _table(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} must be a table.")
    return value
