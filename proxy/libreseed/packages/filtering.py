"""What a policy leaves of a packument."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from nodesemver import SemVer, make_semver

from libreseed.packages.packument import REPLACED_BY, Manifest, Packument
from libreseed.packages.policy import Policy, Refusal

_UNJUDGED = ("stagedVersions", "_distfiles")
"""Fields of a packument that hold versions of their own, which some clients take: they are left out."""
_OF_ONE_VERSION = ("signatures", "attestations")
"""What in `dist` speaks of the version by its number, and so not of the one that it replaces."""
_NAMED = 10
"""Versions that the one message tells of, which is the same whichever was asked for."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """A packument with the versions that may be had, and why the others may not, by version.

    `until`: when it is to be made anew since a version comes of age, in seconds since the epoch, or infinite.
    """

    packument: Packument
    refused: dict[str, Refusal]
    until: float


def filtered(packument: Packument, policy: Policy, now: float, *, own: bool) -> Filtered:
    """Return what `policy` leaves of `packument` at `now`, in seconds since the epoch. `own`: published on this node.

    A version that is replaced keeps its number, and has all else of the one that takes its place, the tarball too
    (as with cnpmcore's bug versions and verdaccio's package filter). `latest` moves to the version that npm
    would take; other tags of what is refused go with it.
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
    left: Packument = {key: value for key, value in packument.items() if key not in _UNJUDGED}
    left |= {"versions": shown, "dist-tags": _retagged(packument["dist-tags"], shown)}
    hidden = {version: refusal for version, refusal in refused.items() if version not in shown}
    if isinstance(released, dict):
        left["time"] = {key: value for key, value in time.items() if key not in hidden}
    if hidden:
        left["policyRestrictions"] = _restrictions(name, hidden)
    return Filtered(left, refused, until)


def _replaced(policy: Policy, packument: Packument, version: str, refused: Mapping[str, Refusal]) -> Manifest | None:
    """Return what takes the place of a version; None when nothing is to, or that may not be had itself."""
    name = packument["name"]
    replacement = policy.replacement_of(name, version)
    if replacement is None or refused[version].rule != replacement.rule or replacement.version in refused:
        return None
    other: Manifest | None = packument["versions"].get(replacement.version)
    if other is None:
        return None
    return {
        **other,
        "dist": {key: value for key, value in other["dist"].items() if key not in _OF_ONE_VERSION},
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
    """Return what `latest` is instead of a hidden version: as npm's `before` chooses, the newest that is not newer,
    neither a prerelease nor deprecated if possible; when all are newer, the newest of them."""
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
    """Return npm's field for versions that it must not take: it shows the message to who asks for one.

    Source: `npm-pick-manifest`, `policyRestrictions`.
    """
    newest = list(refused)[: -_NAMED - 1 : -1]
    lines = [refused[version].sentence(f"{name}@{version}") for version in newest]
    if len(refused) > _NAMED:
        lines.append(f"{len(refused) - _NAMED} more versions are blocked.")
    return {
        "message": "\n".join(lines),
        "versions": {version: {"name": name, "version": version} for version in refused},
    }
