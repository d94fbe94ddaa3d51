"""Parses the body of `npm publish` (PUT /{package}), checks it, and merges its version into a packument.

Source: npm's `libnpmpublish`. The body is a packument of one version with the tarball as a base64 attachment.
"""

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

from semver import Version

from libreseed.errors import ConflictError, IntegrityError, InvalidInputError
from libreseed.packages.changes import iso_time
from libreseed.packages.integrity import format_integrity, parse_integrity, sha512
from libreseed.packages.lenient import read_json
from libreseed.packages.names import attestations_path, check_publishable_name, tarball_path
from libreseed.packages.packument import Manifest, Packument
from libreseed.packages.provenance import Attestation, read_attestation

MAX_MANIFEST = 4 << 20
"""Bytes of the package.json in a tarball."""
MAX_UNPACKED = 8 << 30
"""Bytes of all files in a tarball."""
_PADDING = 1 << 20
"""Bytes that are read after the last file of a tarball, up to gzip's checksum; `tar` pads with 10 KiB at most."""
_LOOSE_VERSION = re.compile(
    r"[v=\s]*(\d+)\.(\d+)\.(\d+)(?:-?((?:[0-9A-Za-z-]+)(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?", re.ASCII
)
_SHARED_FIELDS = ("description", "keywords", "author", "license", "homepage", "repository", "bugs", "readme")


@dataclass(frozen=True, slots=True)
class Tarball:
    """An attached tarball: its SHA-512, its hex SHA-1, its length in bytes, and how to open it."""

    digest: bytes
    shasum: str
    length: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Release:
    """One version to publish. `tags` are the dist-tags to point at it; `shared` are the fields of the package itself
    that it sets, such as `readme`."""

    name: str
    version: str
    manifest: Manifest
    tarball: Tarball
    attestation: Attestation | None
    tags: tuple[str, ...]
    shared: dict[str, Any]


def read_release(name: str, body: object, large: Mapping[str, Tarball] | None = None) -> Release:
    """Check a publish body (blocking for large ones) and return what it releases.

    `large`: tarballs that were taken out of the body (see `longtexts`), by the token that replaces each of them there.
    Raises InvalidInputError for a malformed body, IntegrityError when length, SHA-512 or SHA-1 of the tarball differ
    from what the body says, or its provenance is about another tarball.
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
    tarball = _tarball(name, attachments, large or {})
    _check_dist(name, version, manifest.get("dist"), tarball)
    _check_contents(name, version, tarball)
    attestation = _attestation(attachments, tarball)
    tags = others.get("dist-tags")
    return Release(
        name=name,
        version=version,
        manifest={
            **manifest,
            "_id": f"{name}@{version}",
            "dist": _dist(name, version=version, manifest=manifest, tarball=tarball, attestation=attestation),
        },
        tarball=tarball,
        attestation=attestation,
        tags=tuple(tag for tag, tagged in (tags.items() if isinstance(tags, dict) else ()) if tagged == version)
        or ("latest",),
        shared={key: others[key] for key in _SHARED_FIELDS if key in others},
    )


def add_release(packument: Packument | None, release: Release, user: str, now: datetime) -> Packument:
    """Return the packument with one more version; None makes a new one, maintained by `user`. Raises ConflictError when
    the version is published, or was before it was unpublished (docs/protocol.md, section 6)."""
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


def _tarball(name: str, attachments: dict[str, Any], large: Mapping[str, Tarball]) -> Tarball:
    for file, attachment in attachments.items():
        if not file.endswith(".tgz"):
            continue
        match attachment:
            case {"data": str(text), **others}:
                tarball = large.get(text) or _decode(file, text)
            case _:
                raise InvalidInputError(f"The attachment {file[:100]!r} has no data.")
        if others.get("length") not in (None, tarball.length):
            raise IntegrityError(f"The attachment {file[:100]!r} is not as long as it says.")
        if large and text not in large:
            raise InvalidInputError("A text of that length in a publish must be its tarball.")
        return tarball
    raise InvalidInputError(f"The publish of {name} has no tarball attached.")


def _decode(file: str, text: str) -> Tarball:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidInputError(f"The attachment {file[:100]!r} is not base64.") from error
    shasum = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return Tarball(sha512(data), shasum, len(data), partial(io.BytesIO, data))


def _attestation(attachments: dict[str, Any], tarball: Tarball) -> Attestation | None:
    for file, attachment in attachments.items():
        if file.endswith(".sigstore"):
            text = attachment.get("data") if isinstance(attachment, dict) else None
            return read_attestation(file, text, tarball.digest)
    return None


def _check_dist(name: str, version: str, dist: object, tarball: Tarball) -> None:
    if not isinstance(dist, dict):
        raise InvalidInputError(f"The manifest of {name}@{version} has no dist.")
    integrity = parse_integrity(str(dist.get("integrity", "")))
    shasum = dist.get("shasum")
    if integrity not in (None, tarball.digest) or shasum not in (None, tarball.shasum):
        raise IntegrityError(f"The tarball of {name}@{version} does not have the integrity that its manifest names.")


def clean_version(value: object) -> str | None:
    """Return a version as npm's client normalises it in the manifest that it sends, whatever the package.json in the
    tarball says: without `v`, `=`, spaces, leading zeros and build metadata (`clean` of npm's `semver`, loose). None
    for what is no version."""
    found = _LOOSE_VERSION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    *numbers, prerelease = found.groups()
    release = ".".join(str(int(number)) for number in numbers)
    return f"{release}-{prerelease}" if prerelease else release


def _check_contents(name: str, version: str, tarball: Tarball) -> None:
    """Refuse a tarball whose package.json has another name or version than the manifest: what the packument lists and
    what is installed would differ ("manifest confusion")."""
    try:
        inner = _inner_manifest(tarball)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise InvalidInputError(f"The tarball of {name}@{version} cannot be read: {error}.") from error
    if (
        not isinstance(inner, dict)
        or inner.get("name") != name
        or version not in (inner.get("version"), clean_version(inner.get("version")))
    ):
        raise InvalidInputError(f"The package.json in the tarball of {name}@{version} has another name or version.")


def _inner_manifest(tarball: Tarball) -> object:
    """Return the parsed package.json; where there are several the last one, which is the one that unpacking leaves."""
    manifest = b""
    unpacked = 0
    with (
        tarball.open() as zipped,
        gzip.open(zipped) as unzipped,
        tarfile.open(fileobj=unzipped, mode="r:") as archive,
    ):
        for member in archive:
            unpacked += member.size
            if unpacked > MAX_UNPACKED:
                raise ValueError(f"it holds more than {MAX_UNPACKED >> 30} GiB")
            if member.isfile() and member.name.partition("/")[2] == "package.json":
                stream = archive.extractfile(member)
                if stream is None or member.size > MAX_MANIFEST:
                    raise ValueError(f"its package.json is longer than {MAX_MANIFEST >> 20} MiB")
                manifest = stream.read()
        unzipped.read(_PADDING)  # to the end, where gzip's checksum is compared
    if not manifest:
        raise ValueError("it has no package.json")
    try:
        return read_json(manifest).value
    except InvalidInputError as error:
        raise ValueError("its package.json is not JSON") from error


def _dist(
    name: str, version: str, manifest: Manifest, tarball: Tarball, attestation: Attestation | None
) -> dict[str, Any]:
    dist = {
        **manifest["dist"],
        "integrity": format_integrity(tarball.digest),
        "shasum": tarball.shasum,
        "tarball": tarball_path(name, version),
    }
    if attestation is not None:
        provenance = {"predicateType": attestation.predicate_type}
        dist["attestations"] = {"url": attestations_path(name, version), "provenance": provenance}
    return dist
