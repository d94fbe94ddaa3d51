"""The policy: which versions of which packages this registry gives out (docs/policy.md).

Rules are applied in this order, and the first that refuses a version is the one that is named: block, replace,
licenses, deprecated, minimum-release-age. To packages published on this node block and replace alone apply. The policy
is enforced by `delivery.metadata.policing` and `delivery.tarballs.policy`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import UTC, datetime
from typing import Any, TypeVar

from semver import Version

from libreseed.errors import ConfigError, InvalidInputError
from libreseed.packages.licences import is_permitted, licence_of
from libreseed.packages.packument import Manifest
from libreseed.packages.patterns import Pattern, parse_pattern

T = TypeVar("T")

_AGE = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CHOICES = {"deprecated": ("show", "hide"), "no-license": ("refuse", "allow"), "unknown": ("allow", "refuse")}
_KEYS = (
    "minimum-release-age",
    "minimum-release-age-exceptions",
    "block",
    "allow",
    "replace",
    "deprecated",
    "licenses",
    "no-license",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a version is not given out. `rule`: as in the configuration file; `why`: the reason, "" when the rule says it
    already. `until`: when the refusal ends, in seconds since the epoch; infinity when it does not."""

    rule: str
    why: str = ""
    until: float = math.inf

    def sentence(self, what: str) -> str:
        """Return the error that a client shows. `what`: the package or version."""
        return f"{what} is blocked by the rule {self.rule} of this registry{': ' if self.why else ''}{self.why}."


@dataclass(frozen=True, slots=True)
class Replacement:
    """A rule `replace`: in place of the versions that `pattern` covers, `version` of the same package is given out."""

    pattern: Pattern
    version: str

    @property
    def rule(self) -> str:
        """The rule as in the configuration file."""
        return f'replace "{self.pattern.text}" = "{self.version}"'


@dataclass(frozen=True, slots=True)
class Policy:
    """The table `[policy]`; the default gives out everything.

    `age` is the minimum release age in seconds, `age_text` the same as the user wrote it. `licences` are SPDX
    identifiers in lower case; with none, any licence is permitted. `allow` are exceptions to `block`, `licences` and
    `hide_deprecated`. `refuse_unknown`: refuse a tarball whose age, licence or deprecation decides and is not known.
    """

    age: float = 0.0
    age_text: str = ""
    age_exceptions: tuple[Pattern, ...] = ()
    block: tuple[Pattern, ...] = ()
    allow: tuple[Pattern, ...] = ()
    replace: tuple[Replacement, ...] = ()
    hide_deprecated: bool = False
    licences: frozenset[str] = frozenset()
    refuse_unlicensed: bool = True
    refuse_unknown: bool = False

    @property
    def has_rules(self) -> bool:
        """Whether there is a rule that could refuse or replace a version."""
        return bool(self.block or self.replace or self.age or self.hide_deprecated or self.licences)

    def about(self, name: str) -> "Policy":
        """Return the policy with only the patterns that match `name`: faster to apply to its many versions."""
        return changed(
            self,
            age_exceptions=_about(self.age_exceptions, name),
            block=_about(self.block, name),
            allow=_about(self.allow, name),
            replace=tuple(replacement for replacement in self.replace if replacement.pattern.names(name)),
        )

    def needs_metadata(self, name: str, version: str) -> bool:
        """Tell whether metadata may still lead to a refusal where `refuses_version` returns None."""
        return self.reads_manifest(name, version) or self._minds_age(name, version)

    def reads_manifest(self, name: str, version: str) -> bool:
        """Tell whether the version's manifest (licence, deprecation) may lead to a refusal."""
        return bool(self.hide_deprecated or self.licences) and not _covered(self.allow, name, version)

    def refuses_name(self, name: str) -> Refusal | None:
        """Return the refusal of the whole package `name`, None unless a rule without a range blocks it."""
        for rule in self.block:
            if not rule.range and rule.names(name) and not any(exception.names(name) for exception in self.allow):
                return _blocked(rule)
        return None

    def refuses_version(self, name: str, version: str) -> Refusal | None:
        """Return the refusal by name and number alone, which is what `block` and `replace` need; or None."""
        if not _covered(self.allow, name, version):
            for rule in self.block:
                if rule.covers(name, version, doubtful=True):
                    return _blocked(rule)
        replacement = self.replacement_of(name, version)
        return None if replacement is None else Refusal(replacement.rule, f"{replacement.version} takes its place")

    def refuses(self, name: str, version: str, manifest: Manifest, released: object, now: float) -> Refusal | None:
        """Return the refusal of a version that was not published on this node, or None. `released`: the version's entry
        in the packument's `time`, ISO 8601; unreadable counts as too young. `now`: seconds since the epoch.
        """
        refusal = self.refuses_version(name, version)
        if refusal is None and not _covered(self.allow, name, version):
            refusal = self._refuses_licence(manifest) or self._refuses_deprecated(manifest)
        if refusal is None and self._minds_age(name, version):
            refusal = self._refuses_age(released, now)
        return refusal

    def replacement_of(self, name: str, version: str) -> Replacement | None:
        """Return the rule `replace` that covers a version, or None."""
        for replacement in self.replace:
            if replacement.version != version and replacement.pattern.covers(name, version, doubtful=True):
                return replacement
        return None

    def _minds_age(self, name: str, version: str) -> bool:
        return self.age > 0 and not _covered(self.age_exceptions, name, version)

    def _refuses_licence(self, manifest: Manifest) -> Refusal | None:
        if not self.licences:
            return None
        licence = licence_of(manifest)
        if not licence:
            return Refusal('no-license = "refuse"', "it names no licence") if self.refuse_unlicensed else None
        if is_permitted(licence, self.licences):
            return None
        return Refusal("licenses", f"its licence, {licence[:100]}, is not in that list")

    def _refuses_deprecated(self, manifest: Manifest) -> Refusal | None:
        message = manifest.get("deprecated")
        if not self.hide_deprecated or not message:
            return None
        return Refusal('deprecated = "hide"', f"it is deprecated ({message[:200]})" if isinstance(message, str) else "")

    def _refuses_age(self, released: object, now: float) -> Refusal | None:
        rule = f'minimum-release-age = "{self.age_text}"'
        when = _seconds(released)
        if when is None:
            return Refusal(rule, "nobody says when it was released")
        until = when + self.age
        if until <= now:
            return None
        return Refusal(rule, f"it can be had from {_shown(until)} on", until)


def read_policy(table: object, age: str = "") -> Policy:
    """Read the table `[policy]` of the configuration file. A non-empty `age` takes the place of its
    minimum-release-age.

    Raises ConfigError, which names the key.
    """
    if not isinstance(table, Mapping):
        raise ConfigError("The setting 'policy' is a table.", hint="Write its keys below a line [policy].")
    unknown = sorted(set(table) - set(_KEYS))
    if unknown:
        raise ConfigError(f"[policy] has an unknown key {unknown[0]!r}.", hint=f"Known keys: {', '.join(_KEYS)}.")
    age_text = age or table.get("minimum-release-age", "")
    chosen = {key: _choice(table, key) for key in _CHOICES}
    return Policy(
        age=_age(age_text),
        age_text=str(age_text),
        age_exceptions=_patterns(table, "minimum-release-age-exceptions"),
        block=_patterns(table, "block"),
        allow=_patterns(table, "allow"),
        replace=_replacements(table),
        hide_deprecated=chosen["deprecated"] == "hide",
        licences=frozenset(licence.lower() for licence in _list(table, "licenses", _licence)),
        refuse_unlicensed=chosen["no-license"] == "refuse",
        refuse_unknown=chosen["unknown"] == "refuse",
    )


def _about(patterns: tuple[Pattern, ...], name: str) -> tuple[Pattern, ...]:
    return tuple(pattern for pattern in patterns if pattern.names(name))


def _covered(exceptions: tuple[Pattern, ...], name: str, version: str) -> bool:
    return any(exception.covers(name, version, doubtful=False) for exception in exceptions)


def _blocked(rule: Pattern) -> Refusal:
    return Refusal(f'block "{rule.text}"')


def _seconds(released: object) -> float | None:
    if not isinstance(released, str):
        return None
    try:
        when = datetime.fromisoformat(released)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _shown(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(math.ceil(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "a later time"


def _age(text: object) -> float:
    if text in ("", "0"):
        return 0.0
    match = _AGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(
            f"minimum-release-age is {text!r}, which is no time.", hint='Write a number and s, m, h, d or w: "7d".'
        )
    return float(int(match[1]) * _SECONDS[match[2]])


def _choice(table: Mapping[str, Any], key: str) -> str:
    choices = _CHOICES[key]
    value = table.get(key, choices[0])
    if value not in choices:
        raise ConfigError(f"[policy] {key} is {value!r}.", hint=f'It is "{choices[0]}" or "{choices[1]}".')
    return str(value)


def _patterns(table: Mapping[str, Any], key: str) -> tuple[Pattern, ...]:
    return _list(table, key, parse_pattern)


def _list(table: Mapping[str, Any], key: str, read: Callable[[object], T]) -> tuple[T, ...]:
    values = table.get(key, [])
    if not isinstance(values, list):
        raise ConfigError(f"[policy] {key} is a list of texts.", hint=f'Write: {key} = ["…", "…"]')
    try:
        return tuple(map(read, values))
    except InvalidInputError as error:
        raise ConfigError(f"[policy] {key}: {error.message}", hint=error.hint) from error


def _licence(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{value!r} is no SPDX identifier such as 'MIT'.")
    return " ".join(value.split())


def _replacements(table: Mapping[str, Any]) -> tuple[Replacement, ...]:
    values = table.get("replace", {})
    if not isinstance(values, Mapping):
        raise ConfigError("[policy] replace is a table.", hint='Write: replace = {"left-pad@1.3.0" = "1.2.0"}')
    pairs = _list({"replace": list(values)}, "replace", parse_pattern)
    for pattern, version in zip(pairs, values.values(), strict=True):
        if not isinstance(version, str) or not Version.is_valid(version):
            raise ConfigError(f"[policy] replace: {version!r}, in place of {pattern.text!r}, is no exact version.")
    return tuple(Replacement(pattern, version) for pattern, version in zip(pairs, values.values(), strict=True))
