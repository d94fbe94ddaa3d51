"""The body of `npm publish` (PUT /{package}): taken apart, checked, and merged into a packument.

Source: npm's `libnpmpublish`. The body is a packument of one version with the tarball as a base64 attachment.
"""

import base64
import binascii
import gzip
import hashlib
import io
import tarfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from semver import Version

from libreseed.errors import ConflictError, IntegrityError, InvalidInputError
from libreseed.packages.changes import iso_time
from libreseed.packages.integrity import format_integrity, parse_integrity, sha512
from libreseed.packages.names import check_publishable_name, tarball_path
from libreseed.packages.packument import Manifest, Packument

MAX_MANIFEST = 4 << 20
"""Bytes of the package.json in a tarball."""
MAX_UNPACKED = 8 << 30
"""Bytes of all files in a tarball."""
_PADDING = 1 << 20
"""Bytes after the last file that a tarball may have; it is 10 KiB at most where `tar` made it."""
_SHARED_FIELDS = ("description", "keywords", "author", "license", "homepage", "repository", "bugs", "readme")


@dataclass(frozen=True, slots=True)
class Release:
    """One version to publish. `digest` is the SHA-512 of the tarball."""

    name: str
    version: str
    manifest: Manifest
    tarball: bytes
    digest: bytes
    tags: tuple[str, ...]
    shared: dict[str, Any]


def read_release(name: str, body: object) -> Release:
    """Check a publish body (blocking for large ones) and return what it releases.

    Raises InvalidInputError for a malformed body, IntegrityError when the tarball is not what the manifest says.
    """
    check_publishable_name(name)
    match body:
        case {"versions": dict(versions), "_attachments": dict(attachments), **others} if len(versions) == 1:
            ((version, manifest),) = versions.items()
        case _:
            raise InvalidInputError("A publish carries one version and its tarball as an attachment.")
    if not isinstance(manifest, dict) or manifest.get("name") != name or manifest.get("version") != version:
        raise InvalidInputError(f"The manifest's name and version are not {name}@{version}.")
    if not Version.is_valid(version):
        raise InvalidInputError(f"{version!r} is not a version (semver.org).")
    tarball = _attachment(name, attachments)
    digest = sha512(tarball)
    _check_dist(name, version, manifest.get("dist"), tarball, digest)
    _check_contents(name, version, tarball)
    tags = others.get("dist-tags")
    return Release(
        name,
        version,
        {**manifest, "_id": f"{name}@{version}", "dist": _dist(name, version, manifest, tarball, digest)},
        tarball,
        digest,
        tuple(tag for tag, tagged in (tags.items() if isinstance(tags, dict) else ()) if tagged == version)
        or ("latest",),
        {key: others[key] for key in _SHARED_FIELDS if key in others},
    )


def add_release(packument: Packument | None, release: Release, user: str, now: datetime) -> Packument:
    """Return the packument with one more version. Raises ConflictError when the version is there."""
    time = iso_time(now)
    old: Packument = packument or {
        "_id": release.name,
        "name": release.name,
        "dist-tags": {},
        "versions": {},
        "time": {"created": time},
        "maintainers": [{"name": user, "email": ""}],
    }
    if release.version in old["versions"] or release.version in old["time"]:
        raise ConflictError(
            f"{release.name}@{release.version} is published already, and a version never changes.",
            hint="Raise the version: npm version patch",
        )
    tags = dict.fromkeys(release.tags, release.version)
    return {
        **old,
        **release.shared,
        "dist-tags": {"latest": release.version, **old["dist-tags"], **tags},
        "versions": {**old["versions"], release.version: release.manifest},
        "time": {**old["time"], "modified": time, release.version: time},
    }


def _attachment(name: str, attachments: dict[str, Any]) -> bytes:
    for file, attachment in attachments.items():
        if not file.endswith(".tgz"):
            continue
        try:
            data = base64.b64decode(attachment["data"], validate=True)
        except (binascii.Error, KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(f"The attachment {file[:100]!r} is not base64.") from error
        if attachment.get("length") not in (None, len(data)):
            raise IntegrityError(f"The attachment {file[:100]!r} is not as long as it says.")
        return data
    raise InvalidInputError(f"The publish of {name} has no tarball attached.")


def _check_dist(name: str, version: str, dist: object, tarball: bytes, digest: bytes) -> None:
    if not isinstance(dist, dict):
        raise InvalidInputError(f"The manifest of {name}@{version} has no dist.")
    integrity = parse_integrity(str(dist.get("integrity", "")))
    shasum = dist.get("shasum")
    weak = hashlib.sha1(tarball, usedforsecurity=False).hexdigest()
    if (integrity is not None and integrity != digest) or (shasum is not None and shasum != weak):
        raise IntegrityError(f"The tarball of {name}@{version} does not have the integrity that its manifest names.")


def _check_contents(name: str, version: str, tarball: bytes) -> None:
    """The tarball's own package.json must agree: else what is listed and what is installed are two packages."""
    try:
        inner = _inner_manifest(tarball)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise InvalidInputError(f"The tarball of {name}@{version} cannot be read: {error}.") from error
    if not isinstance(inner, dict) or inner.get("name") != name or inner.get("version") != version:
        raise InvalidInputError(f"The package.json in the tarball of {name}@{version} has another name or version.")


def _inner_manifest(tarball: bytes) -> object:
    """Return the package.json, the last one where there are several: that one is left when all is unpacked."""
    manifest = b""
    unpacked = 0
    with gzip.open(io.BytesIO(tarball)) as unzipped, tarfile.open(fileobj=unzipped, mode="r:") as archive:
        for member in archive:
            unpacked += member.size
            if unpacked > MAX_UNPACKED:
                raise ValueError(f"it holds more than {MAX_UNPACKED >> 30} GiB")
            if member.isfile() and member.name.partition("/")[2] == "package.json":
                stream = archive.extractfile(member)
                if stream is None or member.size > MAX_MANIFEST:
                    raise ValueError(f"its package.json is longer than {MAX_MANIFEST >> 20} MiB")
                manifest = stream.read()
        unzipped.read(_PADDING)  # to the checksum at the end
    if not manifest:
        raise ValueError("it has no package.json")
    return orjson.loads(manifest)


def _dist(name: str, version: str, manifest: Manifest, tarball: bytes, digest: bytes) -> dict[str, Any]:
    return {
        **manifest["dist"],
        "integrity": format_integrity(digest),
        "shasum": hashlib.sha1(tarball, usedforsecurity=False).hexdigest(),
        "tarball": tarball_path(name, version),
    }
