"""Packuments and the forms in which they are given out. Source: npm's registry documentation, "Package metadata".

A packument here is the parsed JSON object of a whole package. Within this program `dist.tarball` may be any URL; in
what clients and other nodes get it is this registry's, or a relative path.
"""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from nodesemver import max_satisfying, valid

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.packages.names import attestations_path, tarball_path, version_of_tarball

Packument = dict[str, Any]
Manifest = dict[str, Any]

ABBREVIATED_TYPE = "application/vnd.npm.install-v1+json"
REPLACED_BY = "_replacedBy"
"""Our field of a manifest: the version whose tarball is given out in place of its own (docs/policy.md, `replace`)."""

_ABBREVIATED_FIELDS = (
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "cpu",
    "os",
    "libc",
    "funding",
    "_hasShrinkwrap",
    "hasInstallScript",
)
_VOLATILE_FIELDS = ("_rev", "_id", "_attachments", "readme", "readmeFilename", "users", "_cached", "_uplinks")
_INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")
_EXACT_VERSION = re.compile(r"\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")


def maintainers_of(packument: Packument) -> list[str]:
    """Return the names of the maintainers; entries that are not `{"name": text}` are skipped."""
    people = packument.get("maintainers")
    names = [person.get("name") for person in people if isinstance(person, dict)] if isinstance(people, list) else []
    return [name for name in names if isinstance(name, str)]


def check_packument(value: object, name: str) -> Packument:
    """Return `value` when it is a packument of `name`: `name`, an object `versions` whose manifests each have an object
    `dist`, and an object `dist-tags` (docs/protocol.md, section 5). Raises InvalidInputError otherwise."""
    match value:
        case {"name": str(found), "versions": dict(versions), "dist-tags": dict()} if found == name:
            for version, manifest in versions.items():
                if not _is_usable(manifest):
                    raise InvalidInputError(f"The packument of {name} has no manifest for {version}.")
            return value  # type: ignore[return-value]
        case _:
            raise InvalidInputError(f"That is not a packument of {name}.")


def leave_out_unusable(value: object) -> tuple[object, list[str]]:
    """Return a packument without the versions that have no object `dist`, of which nothing can be installed, and which
    they are. Anything else is returned as it is."""
    match value:
        case {"versions": dict(versions), "dist-tags": dict(tags), **others}:
            unusable = [version for version, manifest in versions.items() if not _is_usable(manifest)]
            if unusable and len(unusable) < len(versions):
                kept = {version: manifest for version, manifest in versions.items() if version not in unusable}
                tags = {tag: version for tag, version in tags.items() if version not in unusable}
                return {**others, "versions": kept, "dist-tags": tags}, unusable
    return value, []


def _is_usable(manifest: object) -> bool:
    return isinstance(manifest, dict) and isinstance(manifest.get("dist"), dict)


def check_published(packument: Packument) -> None:
    """Raise NotFoundError when every version has been unpublished."""
    if not packument["versions"]:
        raise NotFoundError(f"{packument['name']} was unpublished: its publisher has left no version of it.")


def with_tarballs(packument: Packument, base_url: str) -> Packument:
    """Return a copy whose `dist.tarball` are `<base_url>/<name>/-/<file>`, and whose attestations' URLs are below
    `base_url` too. With "" the tarballs become relative paths, and attestations stay."""
    return {
        **packument,
        "versions": {
            version: with_tarball(manifest, packument["name"], version, base_url)
            for version, manifest in packument["versions"].items()
        },
    }


def with_tarball(manifest: Manifest, name: str, version: str, base_url: str) -> Manifest:
    """Return a copy of one version's manifest with URLs as in `with_tarballs`."""
    path = tarball_path(name, str(manifest.get(REPLACED_BY, version)))
    dist = {**manifest["dist"], "tarball": f"{base_url}/{path}" if base_url else path}
    match dist.get("attestations"):
        case {"url": _, **others} if base_url:
            dist["attestations"] = {"url": f"{base_url}/{attestations_path(name, version)}", **others}
    return {**manifest, "dist": dist}


def abbreviated(packument: Packument) -> Packument:
    """Return the abbreviated form, for `Accept: application/vnd.npm.install-v1+json`.

    Unlike npm's own it keeps `time`, which clients with a minimum release age need, and `libc`.
    """
    time = packument.get("time")
    short: Packument = {
        "name": packument["name"],
        "dist-tags": packument["dist-tags"],
        "versions": {version: _abbreviate(manifest) for version, manifest in packument["versions"].items()},
    }
    if "policyRestrictions" in packument:
        short["policyRestrictions"] = packument["policyRestrictions"]
    if isinstance(time, dict):
        short["time"] = time
        if "modified" in time:
            short["modified"] = time["modified"]
    return short


def portable(packument: Packument) -> Packument:
    """Return the portable packument that a mirror's snapshot carries: without volatile fields and readme, with relative
    paths of tarballs (docs/protocol.md, section 5, "Portable packument")."""
    kept = {key: value for key, value in packument.items() if key not in _VOLATILE_FIELDS}
    return with_tarballs(kept, "")


def find_version(packument: Packument, wanted: str) -> str:
    """Return the version that `wanted`, a version, dist-tag or range, stands for. Raises NotFoundError."""
    best = best_version(packument["versions"], packument["dist-tags"], wanted)
    if best is None:
        raise NotFoundError(f"{packument['name']} has no version {wanted}.")
    return best


def best_version(versions: Collection[str], tags: Mapping[str, Any], wanted: str) -> str | None:
    """Return which of `versions` is meant by `wanted`, a version, dist-tag or range; None when there is none."""
    for exact in (wanted, tags.get(wanted)):
        if isinstance(exact, str) and exact in versions:
            return exact
    return None if _EXACT_VERSION.fullmatch(wanted) else _max_satisfying(list(versions), wanted)


def manifest_of_tarball(packument: Packument, file: str) -> Manifest:
    """Return the manifest whose tarball has this file name. Raises NotFoundError."""
    name: str = packument["name"]
    versions: Mapping[str, Manifest] = packument["versions"]
    with suppress(InvalidInputError):
        manifest = versions.get(version_of_tarball(name, file))
        if manifest is not None:
            return manifest
    for manifest in versions.values():
        if file == file_at(manifest):
            return manifest
    raise NotFoundError(f"{name} has no tarball {file}.")


def file_at(manifest: Manifest) -> str:
    """Return the file name in the URL that a manifest gives for its tarball, "" when it gives none."""
    url = manifest["dist"].get("tarball")
    return urlsplit(url).path.rpartition("/")[2] if isinstance(url, str) else ""


def upstream_tarball(manifest: Manifest) -> str | None:
    """Return the http or https URL of a version's tarball at the upstream, None when `dist.tarball` is no such URL."""
    url = manifest["dist"].get("tarball")
    return url if isinstance(url, str) and url.startswith(("http://", "https://")) else None


def _abbreviate(manifest: Manifest) -> Manifest:
    short = {key: manifest[key] for key in _ABBREVIATED_FIELDS if key in manifest}
    scripts = manifest.get("scripts")
    if isinstance(scripts, dict) and any(script in scripts for script in _INSTALL_SCRIPTS):
        short["hasInstallScript"] = True
    return short


def _max_satisfying(versions: list[str], wanted: str) -> str | None:
    readable = [version for version in versions if valid(version, loose=True)]
    try:
        best = max_satisfying(readable, wanted, loose=True)
    except ValueError:
        return None
    return best if isinstance(best, str) else None
