"""The changes that a published packument may undergo, as functions from one packument to the next.

Source: what npm's `deprecate`, `dist-tag`, `unpublish` and `owner` send. Of a published version only `deprecated` can
change. Versions that were unpublished stay in `time`, so that they are not published a second time (npm's unpublish
policy; docs/protocol.md, section 6).
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nodesemver import make_range
from semver import Version

from libreseed.errors import ForbiddenError, InvalidInputError, NotFoundError
from libreseed.packages.packument import Packument, maintainers_of

MAX_MESSAGE = 4096
"""Characters of a deprecation message."""
MAX_MAINTAINERS = 100
_TAG_LENGTH = 128
_NAME_LENGTH = 64
_LEFT_OVER = ("_id", "name", "time", "maintainers")


def with_deprecations(packument: Packument, manifests: Mapping[str, Any]) -> Packument:
    """Set `deprecated` of each version in `manifests` to that of its manifest; "" or none removes it. Other fields of
    the manifests are ignored.

    Raises InvalidInputError for a version that is not published, or a message that is no text or too long.
    """
    versions = dict(packument["versions"])
    for version, manifest in manifests.items():
        if version not in versions or not isinstance(manifest, dict):
            raise InvalidInputError(
                f"{packument['name']}@{version} is not published here, and a version comes with its tarball only."
            )
        message = manifest.get("deprecated") or ""
        if message == (versions[version].get("deprecated") or ""):
            continue
        if not isinstance(message, str) or len(message) > MAX_MESSAGE:
            raise InvalidInputError(f"A deprecation message is a text of at most {MAX_MESSAGE} characters.")
        kept = {key: value for key, value in versions[version].items() if key != "deprecated"}
        versions[version] = kept | {"deprecated": message} if message else kept
    return {**packument, "versions": versions}


def with_tag(packument: Packument, tag: str, version: object) -> Packument:
    """Point a dist-tag at a version. Raises InvalidInputError for a tag that is empty, over 128 characters, or a semver
    range (as `npm dist-tag` refuses it), NotFoundError when the package has no such version."""
    if not 0 < len(tag) <= _TAG_LENGTH or not tag.isprintable() or " " in tag or _is_range(tag):
        raise InvalidInputError(f"{tag[:80]!r} is no dist-tag: a tag is a word that cannot be taken for a version.")
    if not isinstance(version, str):
        raise InvalidInputError('A dist-tag is set by a version as a JSON string, such as "1.2.3".')
    if version not in packument["versions"]:
        raise NotFoundError(f"{packument['name']} has no version {version[:80]}.")
    return {**packument, "dist-tags": {**packument["dist-tags"], tag: version}}


def without_tag(packument: Packument, tag: str) -> Packument:
    """Remove a dist-tag. Raises NotFoundError when there is none, InvalidInputError for `latest`."""
    if tag not in packument["dist-tags"]:
        raise NotFoundError(f"{tag[:80]} is not a dist-tag of {packument['name']}.")
    if tag == "latest":
        raise InvalidInputError(
            f"{packument['name']} must have a latest version.", hint="Point the tag at another version instead."
        )
    return {**packument, "dist-tags": {key: value for key, value in packument["dist-tags"].items() if key != tag}}


def with_versions(packument: Packument, kept: Collection[str]) -> Packument:
    """Unpublish every version that is not in `kept`, and the dist-tags that point to them.

    `latest` goes to the highest version that is left, a prerelease only when there is nothing else. With no version
    left, only name, times and maintainers stay. Raises InvalidInputError for a version in `kept` that is not published.
    """
    unknown = sorted(set(kept) - packument["versions"].keys())
    if unknown:
        raise InvalidInputError(
            f"{packument['name']}@{unknown[0][:80]} is not published here, and a version comes with its tarball only."
        )
    versions = {version: manifest for version, manifest in packument["versions"].items() if version in kept}
    if not versions:
        left = {key: packument[key] for key in _LEFT_OVER if key in packument}
        return {**left, "dist-tags": {}, "versions": {}}
    tags = {tag: version for tag, version in packument["dist-tags"].items() if version in versions}
    return {**packument, "dist-tags": {"latest": max(versions, key=_rank), **tags}, "versions": versions}


def with_maintainers(packument: Packument, maintainers: Sequence[Any]) -> Packument:
    """Replace the maintainers by a list of `{"name", "email"}`. Raises InvalidInputError: another form, a name over 64
    characters, none at all, or more than 100."""
    people: dict[str, dict[str, str]] = {}
    for person in maintainers:
        match person:
            case {"name": str(name)} if 0 < len(name) <= _NAME_LENGTH:
                email = person.get("email")
                people[name] = {"name": name} | ({"email": email[:254]} if isinstance(email, str) else {})
            case _:
                raise InvalidInputError("A maintainer is an object with the name of an account.")
    if not 0 < len(people) <= MAX_MAINTAINERS:
        raise InvalidInputError(f"A package has 1 to {MAX_MAINTAINERS} maintainers.")
    return {**packument, "maintainers": list(people.values())}


def with_maintainer(packument: Packument, owner: str) -> Packument:
    """Add a maintainer by account. Raises InvalidInputError as `with_maintainers`."""
    others = [person for person in packument["maintainers"] if person["name"] != owner]
    return with_maintainers(packument, [*others, {"name": owner, "email": ""}])


def without_maintainer(packument: Packument, owner: str) -> Packument:
    """Remove a maintainer by account. Raises NotFoundError when it is none, InvalidInputError for the last one."""
    others = [person for person in packument["maintainers"] if person["name"] != owner]
    if len(others) == len(packument["maintainers"]):
        raise NotFoundError(f"{owner[:_NAME_LENGTH]} is no maintainer of {packument['name']}.")
    return with_maintainers(packument, others)


def modified(packument: Packument, now: datetime) -> Packument:
    """Set `time.modified`."""
    return {**packument, "time": {**packument["time"], "modified": iso_time(now)}}


def iso_time(now: datetime) -> str:
    """Return a time as packuments have it, ISO 8601 in UTC to the millisecond: `2026-01-02T03:04:05.678Z`."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_maintainer(packument: Packument, user: str) -> None:
    """Raise ForbiddenError unless `user` is one of the maintainers."""
    names = maintainers_of(packument)
    if user not in names:
        raise ForbiddenError(
            f"{packument['name']} is maintained by {', '.join(names)}, not by {user}.",
            hint=f"One of them can change that: npm owner add {user} {packument['name']}",
        )


def _is_range(text: str) -> bool:
    try:
        make_range(text, loose=True)  # `valid_range` would log a traceback for every tag that is one
    except ValueError:
        return False
    return True


def _rank(version: str) -> tuple[bool, Version]:
    parsed = Version.parse(version)
    return not parsed.prerelease, parsed
