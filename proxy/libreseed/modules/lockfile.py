"""Reads package-lock.json (lockfileVersion 2 and 3) into the packages that are to be installed.

Everything in it is hostile input: a location is only ever nested `node_modules/<name>`, and a package
comes from the registry with a sha512 or not at all.
Source: npm's documentation of package-lock.json.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from libreseed.errors import InvalidInputError
from libreseed.packages.integrity import parse_integrity
from libreseed.packages.names import check_name, tarball_file

MAX_BYTES = 64 * 2**20
MAX_PACKAGES = 100_000
SHIMS_LOCATION = "node_modules/libreseed"
"""Rendered by LibreSeed itself, whatever the lock file says about it."""

_VERSION = re.compile(r"[0-9][0-9A-Za-z.+_-]{0,255}", re.ASCII)
_FILE = re.compile(r"[^/\\\x00-\x1f]{1,255}\.tgz")
_SHIMS_FOLDER = ".libreseed_modules/node_modules/libreseed"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a package asks for: names, without ranges, which the resolver has settled already."""

    required: frozenset[str]
    optional: frozenset[str]


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One folder to be installed.

    `location` is `node_modules/a/node_modules/@s/b`, relative to `.libreseed_modules`; `name` is the name on the
    registry, which differs from the folder's for an alias; `digest` is the tarball's 64-byte SHA-512, None for
    a package that comes inside another's tarball (`in_bundle`).
    """

    location: str
    name: str
    version: str
    digest: bytes | None
    file: str
    bin: Mapping[str, str] = field(default_factory=dict)
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    node: str = ""
    optional: bool = False
    in_bundle: bool = False
    has_install_script: bool = False
    dependencies: Dependencies = Dependencies(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Lockfile:
    """`packages` by location; `root` is what the project itself depends on."""

    root: Dependencies
    packages: Mapping[str, LockedPackage]


def names_of(location: str) -> list[str]:
    """Return the package names in a location: `["a", "@s/b"]`. Raises InvalidInputError when it is anything else."""
    prefix, _, rest = location.partition("node_modules/")
    if prefix or not rest:
        raise InvalidInputError(f"package-lock.json holds the folder {location[:120]!r}, outside of node_modules.")
    return [check_name(name) for name in rest.split("/node_modules/")]


def read_lockfile(text: bytes) -> Lockfile:
    """Parse and check a whole lock file.

    Raises InvalidInputError: not a lock file of version 2 or 3, a folder outside of node_modules, a package
    without sha512, or one from git, a folder, a workspace or a bare URL (not supported yet).
    """
    if len(text) > MAX_BYTES:
        raise InvalidInputError(f"package-lock.json is larger than {MAX_BYTES // 2**20} MiB.")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"package-lock.json is not JSON: {error}.") from None
    entries = document.get("packages") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise InvalidInputError(
            "package-lock.json is not of lockfileVersion 2 or 3.", hint="Bring it up to date with npm 7 or later."
        )
    if len(entries) > MAX_PACKAGES:
        raise InvalidInputError(f"package-lock.json lists more than {MAX_PACKAGES} packages.")
    root = _Entry("", entries.get("", {}))
    if root.get("workspaces"):
        raise InvalidInputError("This project has workspaces, which LibreSeed does not install yet.")
    packages = {
        location: _read_package(_Entry(location, entry))
        for location, entry in entries.items()
        if location not in ("", SHIMS_LOCATION, _SHIMS_FOLDER)
    }
    return Lockfile(root.dependencies(dev=True), packages)


class _Entry:
    """One value of `packages`, read with its types checked."""

    def __init__(self, location: str, value: object) -> None:
        self.location = location
        if not isinstance(value, dict):
            raise self.error("is not an object")
        self._value: dict[str, Any] = value

    def error(self, problem: str, hint: str = "") -> InvalidInputError:
        return InvalidInputError(f"package-lock.json: {(self.location or 'the project')[:120]} {problem}.", hint=hint)

    def get(self, key: str) -> Any:
        return self._value.get(key)

    def text(self, key: str) -> str:
        value = self._value.get(key, "")
        if not isinstance(value, str):
            raise self.error(f"has a {key!r} that is no text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._value.get(key, ())
        value = (value,) if isinstance(value, str) else value
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self.error(f"has a {key!r} that is no list of texts")
        return tuple(value)

    def table(self, key: str) -> dict[str, Any]:
        value = self._value.get(key, {})
        if isinstance(value, list):  # `engines` of very old packages
            return {}
        if not isinstance(value, dict):
            raise self.error(f"has a {key!r} that is no object")
        return value

    def dependencies(self, *, dev: bool = False) -> Dependencies:
        peers_meta = self.table("peerDependenciesMeta")
        optional_peers = {name for name, meta in peers_meta.items() if isinstance(meta, dict) and meta.get("optional")}
        peers = self.table("peerDependencies").keys()
        optional = self.table("optionalDependencies").keys() | (peers & optional_peers)
        required = self.table("dependencies").keys() | peers
        if dev:
            required |= self.table("devDependencies").keys()
        return Dependencies(frozenset(required - optional), frozenset(optional))


def _read_package(entry: _Entry) -> LockedPackage:
    if entry.get("link") or not entry.location.startswith("node_modules/"):
        raise entry.error("is a linked folder or workspace, which LibreSeed does not install yet")
    name = check_name(entry.text("name") or names_of(entry.location)[-1])
    names_of(entry.location)
    version = entry.text("version")
    if not _VERSION.fullmatch(version):
        raise entry.error(f"has no proper version: {version[:80]!r}")
    in_bundle = entry.get("inBundle") is True
    bins = entry.table("bin")
    if not all(isinstance(target, str) for target in bins.values()):
        raise entry.error("has a 'bin' that is no table of texts")
    node = entry.table("engines").get("node", "")
    return LockedPackage(
        location=entry.location,
        name=name,
        version=version,
        digest=None if in_bundle else _digest(entry),
        file=_tarball_file(entry, name, version),
        bin=bins,
        os=entry.texts("os"),
        cpu=entry.texts("cpu"),
        libc=entry.texts("libc"),
        node=node if isinstance(node, str) else "",
        optional=entry.get("optional") is True,
        in_bundle=in_bundle,
        has_install_script=entry.get("hasInstallScript") is True,
        dependencies=entry.dependencies(),
    )


def _digest(entry: _Entry) -> bytes:
    digest = parse_integrity(entry.text("integrity"))
    if digest is None:
        raise entry.error(
            "has no sha512 integrity, so nothing can be checked against it",
            hint="Remove this entry's 'resolved' and 'integrity' and run the install again.",
        )
    return digest


def _tarball_file(entry: _Entry, name: str, version: str) -> str:
    """Return the tarball's file name on the registry; some old ones do not follow the rule."""
    resolved = entry.text("resolved")
    if not resolved:  # npm's omit-lockfile-registry-resolved
        return tarball_file(name, version)
    url = urlsplit(resolved)
    file = unquote(url.path.rpartition("/")[2])
    if url.scheme not in ("http", "https") or "/-/" not in url.path or not _FILE.fullmatch(file):
        raise entry.error(f"does not come from an npm registry but from {resolved[:120]!r}, which is not supported yet")
    return file
