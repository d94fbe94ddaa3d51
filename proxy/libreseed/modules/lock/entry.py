"""One entry of package-lock.json: a package in a folder, a link to a folder, or that folder.

Everything in it is untrusted input. A location is nested `node_modules/<name>`, at the root of the project or in a
folder of it. A package from elsewhere needs a sha512, or from git a full commit id.
Source: npm's documentation of package-lock.json.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from libreseed.errors import InvalidInputError
from libreseed.packages.integrity import parse_integrity
from libreseed.packages.names import check_name, tarball_file

Kind = Literal["registry", "packed", "bundled", "link", "folder"]
"""`registry`: a tarball by name and file. `packed`: npm packs it, from git, a folder, a file or a URL. `bundled`: it
comes inside another package's tarball. `link`: to a folder of the project. `folder`: such a folder."""

_MODULES = "node_modules/"
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+_-]{0,255}", re.ASCII)
_FILE = re.compile(r"[^/\\\x00-\x1f]{1,255}\.tgz")
_GIT = re.compile(r"git(?:\+(?:ssh|https|http|file|rsync|ftp))?:[^\x00-\x20]{1,2000}#[0-9a-f]{40,64}")
_URL = re.compile(r"https?://[^\x00-\x20]{1,2000}")
_PATH = re.compile(r"file:[^\x00-\x1f]{1,2000}")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The dependencies of a package: name -> range. The lock file has resolved them already."""

    required: Mapping[str, str]
    optional: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One entry.

    `location` is `node_modules/a/node_modules/@s/b`, after the `base` folder if there is one; `name` is the name on
    the registry, which differs from the folder's for an alias; `digest` is the tarball's 64-byte SHA-512, None for
    a package without tarball, or with one that is packed here. `origin` is what npm packs of `packed`, and the target
    of a `link`.
    """

    location: str
    name: str
    version: str
    digest: bytes | None
    file: str
    kind: Kind = "registry"
    origin: str = ""
    bin: Mapping[str, str] = field(default_factory=dict)
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    node: str = ""
    dev: bool = False
    optional: bool = False
    dev_optional: bool = False
    peer: bool = False
    has_install_script: bool = False
    dependencies: Dependencies = Dependencies({}, {})

    @property
    def base(self) -> str:
        """The folder of the project that has the `node_modules`; "" for the project's own."""
        return self.location.partition(_MODULES)[0].rstrip("/")

    @property
    def inner(self) -> str:
        """The location without the base."""
        return _MODULES + self.location.partition(_MODULES)[2]

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


def names_of(location: str) -> list[str]:
    """Return the package names in a location: `["a", "@s/b"]`. Raises InvalidInputError when it is anything else."""
    base, _, rest = location.partition(_MODULES)
    if not rest or (base and not (base.endswith("/") and is_inside(base.removesuffix("/")))):
        raise InvalidInputError(f"package-lock.json holds the folder {location[:120]!r}, outside of node_modules.")
    return [check_name(name) for name in rest.split("/node_modules/")]


def is_inside(path: str) -> bool:
    """Tell whether a path with `/` is a normalised relative one, to a folder below the project's."""
    return not (
        path.startswith("/") or {"", ".", ".."} & set(path.split("/")) or re.search(r"[\\\x00-\x1f:]", path) is not None
    )


class Entry:
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

    def ranges(self, key: str) -> dict[str, str]:
        return {name: range_ if isinstance(range_, str) else "" for name, range_ in self.table(key).items()}

    def dependencies(self, *, dev: bool = False) -> Dependencies:
        meta = self.table("peerDependenciesMeta")
        peers = self.ranges("peerDependencies")
        optional = self.ranges("optionalDependencies") | {
            name: range_
            for name, range_ in peers.items()
            if isinstance(meta.get(name), dict) and meta[name].get("optional")
        }
        required = peers | (self.ranges("devDependencies") if dev else {}) | self.ranges("dependencies")
        return Dependencies({name: required[name] for name in required.keys() - optional.keys()}, optional)


def read_entry(entry: Entry) -> LockedPackage:
    """Return the package that an entry describes. Raises InvalidInputError."""
    kind, origin = _kind(entry)
    if kind == "folder":
        name = entry.text("name") or posixpath.basename(entry.location)  # for messages only
    else:
        folders = names_of(entry.location)
        name = check_name(entry.text("name") or folders[-1])
    version = entry.text("version")
    if not _VERSION.fullmatch(version) and (version or kind in ("registry", "bundled")):
        raise entry.error(f"has no proper version: {version[:80]!r}")
    bins = entry.table("bin")
    if not all(isinstance(target, str) for target in bins.values()):
        raise entry.error("has a 'bin' that is no table of texts")
    node = entry.table("engines").get("node", "")
    return LockedPackage(
        location=entry.location,
        name=name,
        version=version,
        digest=_digest(entry, kind, origin),
        file=_tarball_file(entry, name, version) if kind == "registry" else "",
        kind=kind,
        origin=origin,
        bin=bins,
        os=entry.texts("os"),
        cpu=entry.texts("cpu"),
        libc=entry.texts("libc"),
        node=node if isinstance(node, str) else "",
        dev=entry.get("dev") is True,
        optional=entry.get("optional") is True,
        dev_optional=entry.get("devOptional") is True,
        peer=entry.get("peer") is True,
        has_install_script=entry.get("hasInstallScript") is True,
        dependencies=entry.dependencies(dev=kind == "folder"),
    )


def _kind(entry: Entry) -> tuple[Kind, str]:
    resolved = entry.text("resolved")
    if _MODULES not in f"{entry.location}/":
        return "folder", ""
    if entry.get("link"):
        return "link", resolved
    if entry.get("inBundle") is True:
        return "bundled", ""
    if _is_registrys(resolved):
        return "registry", ""
    if not (_GIT.fullmatch(resolved) or _URL.fullmatch(resolved) or _PATH.fullmatch(resolved)):
        raise entry.error(f"comes neither from a registry nor from git, a file or a URL, but {resolved[:120]!r}")
    return "packed", resolved


def _is_registrys(resolved: str) -> bool:
    """Tell whether this is the URL of a registry's tarball; npm's omit-lockfile-registry-resolved leaves it out."""
    return not resolved or (resolved.startswith(("http://", "https://")) and "/-/" in urlsplit(resolved).path)


def _digest(entry: Entry, kind: Kind, origin: str) -> bytes | None:
    if kind in ("bundled", "link", "folder"):
        return None
    digest = parse_integrity(entry.text("integrity"))
    if digest is None and not origin.startswith(("git", "file:")):
        raise entry.error(
            "has no sha512 integrity, so nothing can be checked against it",
            hint="Remove this entry's 'resolved' and 'integrity' and run the install again.",
        )
    return digest


def _tarball_file(entry: Entry, name: str, version: str) -> str:
    """Return the tarball's file name on the registry, which is not npm's for some old packages."""
    resolved = entry.text("resolved")
    if not resolved:
        return tarball_file(name, version)
    file = unquote(urlsplit(resolved).path.rpartition("/")[2])
    if not _FILE.fullmatch(file):
        raise entry.error(f"comes from {resolved[:120]!r}, which names no tarball")
    return file
