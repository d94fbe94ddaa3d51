"""Applies a policy to a packument: hidden versions are removed, replaced ones exchanged, dist-tags moved.

What clients see is described in docs/policy.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from nodesemver import SemVer, make_semver

from libreseed.packages.packument import REPLACED_BY, Manifest, Packument
from libreseed.packages.policy import Policy, Refusal

_OTHER_VERSION_LISTS = ("stagedVersions", "_distfiles")
"""Fields of a packument that list versions too, and that some clients read: dropped, since no rule is applied there."""
_SIGNED_BY_VERSION = ("signatures", "attestations")
"""Fields of `dist` that are signed together with the version's number: dropped when its content gets another number."""
_MAX_NAMED = 10
"""Hidden versions that npm's one message for all of them names."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """A packument with the versions that the policy lets clients have, and by version why it refuses others.

    `until`: when the first refused version reaches the minimum release age, in seconds since the epoch, or infinity;
    from then on the packument must be filtered anew.
    """

    packument: Packument
    refused: dict[str, Refusal]
    until: float


def filtered(packument: Packument, policy: Policy, now: float, *, own: bool) -> Filtered:
    """Return what `policy` leaves of `packument` at `now`, in seconds since the epoch. `own`: published on this node,
    so that `block` and `replace` alone apply.

    A version that is replaced keeps its number and gets all else of its replacement, the tarball too (as with
    cnpmcore's bug versions and verdaccio's package filter). `latest` of a hidden version moves to the one that npm's
    `before` would choose; other dist-tags of hidden versions are removed.
    """
    name, versions = packument["name"], packument["versions"]
    released = packument.get("time")
    time: Mapping[str, Any] = released if isinstance(released, dict) else {}
    refused: dict[str, Refusal] = {}
    for version, manifest in versions.items():
        if own:
            refusal = policy.refuses_version(name, version)
        else:
            refusal = policy.refuses(name, version=version, manifest=manifest, released=time.get(version), now=now)
        if refusal is not None:
            refused[version] = refusal
    shown = {}
    for version, manifest in versions.items():
        kept = manifest if version not in refused else _replaced(policy, packument, version, refused)
        if kept is not None:
            shown[version] = kept
    until = min((refusal.until for refusal in refused.values()), default=math.inf)
    if not refused:
        return Filtered(packument, {}, until)
    left: Packument = {key: value for key, value in packument.items() if key not in _OTHER_VERSION_LISTS}
    left |= {"versions": shown, "dist-tags": _retagged(packument["dist-tags"], shown)}
    hidden = {version: refusal for version, refusal in refused.items() if version not in shown}
    if isinstance(released, dict):
        left["time"] = {key: value for key, value in time.items() if key not in hidden}
    if hidden:
        left["policyRestrictions"] = _restrictions(name, hidden)
    return Filtered(left, refused, until)


def _replaced(policy: Policy, packument: Packument, version: str, refused: Mapping[str, Refusal]) -> Manifest | None:
    """Return the manifest given out for a replaced version; None when it is not replaced, or when its replacement is
    missing or refused."""
    name = packument["name"]
    replacement = policy.replacement_of(name, version)
    if replacement is None or refused[version].rule != replacement.rule or replacement.version in refused:
        return None
    other: Manifest | None = packument["versions"].get(replacement.version)
    if other is None:
        return None
    return {
        **other,
        "dist": {key: value for key, value in other["dist"].items() if key not in _SIGNED_BY_VERSION},
        "version": version,
        "_id": f"{name}@{version}",
        "deprecated": f"{name}@{replacement.version} is given out in place of {version}, by the rule"
        f" {replacement.rule} of this registry.",
        REPLACED_BY: replacement.version,
    }


def _retagged(tags: Mapping[str, Any], shown: Mapping[str, Manifest]) -> dict[str, Any]:
    kept = {tag: version for tag, version in tags.items() if isinstance(version, str) and version in shown}
    if "latest" in tags and "latest" not in kept and shown:
        kept = {"latest": _latest(tags["latest"], shown), **kept}
    return kept


def _latest(hidden: object, shown: Mapping[str, Manifest]) -> str:
    """Return the version for `latest` in place of a hidden one, as npm's `before` chooses: the highest that is not
    higher than it, if possible neither a prerelease nor deprecated; when all are higher, the highest of them."""
    numbers = {version: number for version in shown if (number := _number(version)) is not None}
    if not numbers:
        return list(shown)[-1]
    bound = _number(hidden)

    def rank(version: str) -> tuple[bool, bool, bool, Any]:
        number = numbers[version]
        not_newer = bound is None or number.compare(bound) <= 0
        return not number.prerelease, not_newer, not shown[version].get("deprecated"), _order(number)

    return max(numbers, key=rank)


def _number(version: object) -> SemVer | None:
    try:
        return make_semver(version, loose=True)
    except ValueError:
        return None


@cmp_to_key
def _order(one: SemVer, other: SemVer) -> int:
    return int(one.compare(other))


def _restrictions(name: str, refused: Mapping[str, Refusal]) -> dict[str, Any]:
    """Return `policyRestrictions`: the versions that npm must not take, and the message it shows to who asks for one.

    Source: `npm-pick-manifest`.
    """
    newest = list(refused)[: -_MAX_NAMED - 1 : -1]
    lines = [refused[version].sentence(f"{name}@{version}") for version in newest]
    if len(refused) > _MAX_NAMED:
        lines.append(f"{len(refused) - _MAX_NAMED} more versions are blocked.")
    return {
        "message": "\n".join(lines),
        "versions": {version: {"name": name, "version": version} for version in refused},
    }
