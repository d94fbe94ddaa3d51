"""npm package names: which texts are names, and how a name is written in key texts, paths and file names.

Sources: npm's `validate-npm-package-name` and documentation of package.json's `name`; docs/protocol.md, section 2.
"""

import re
from fnmatch import fnmatchcase
from urllib.parse import quote

from libreseed.errors import InvalidInputError

MAX_LENGTH = 214
ATTESTATIONS = "-/npm/v1/attestations/"
KEY_PREFIX = "libreseed:"

_PART = r"[A-Za-z0-9~!'()*-][A-Za-z0-9._~!'()*-]*"
_READABLE = re.compile(rf"(?:@[A-Za-z0-9._~!'()*-]+/)?{_PART}", re.ASCII)
_PUBLISHABLE = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*", re.ASCII)
_RESERVED = frozenset({"node_modules", "favicon.ico"})


def check_name(name: str) -> str:
    """Return `name` when an npm package may have it, old names with capitals included.

    Raises InvalidInputError, by docs/protocol.md, section 2: empty, over 214 characters, other characters than
    `A-Za-z0-9._~!'()*-`, `.` or `_` in front, a scope `.` or `..`, or `node_modules` or `favicon.ico`.
    """
    scope, _, rest = name.rpartition("/")
    if (
        not 0 < len(name) <= MAX_LENGTH
        or not _READABLE.fullmatch(name)
        or rest.lower() in _RESERVED
        or scope in ("@.", "@..")
    ):
        raise InvalidInputError(
            f"{name[:80]!r} is not an npm package name.",
            hint="A name is 'name' or '@scope/name', at most 214 URL-safe characters.",
        )
    return name


def check_publishable_name(name: str) -> str:
    """Return `name` when a new package may be published under it, which needs `a-z0-9._~-` alone: the
    `validForNewPackages` of npm's `validate-npm-package-name`.

    Raises InvalidInputError.
    """
    check_name(name)
    if not _PUBLISHABLE.fullmatch(name):
        raise InvalidInputError(f"{name!r} cannot be published: new names use only a-z, 0-9, '.', '_', '~' and '-'.")
    return name


def is_name(name: str) -> bool:
    """Tell whether `name` is one that `check_name` accepts."""
    try:
        check_name(name)
    except InvalidInputError:
        return False
    return True


def check_pattern(pattern: str) -> str:
    """Return `pattern` when it is a package name, possibly with `*` in it. Raises InvalidInputError."""
    check_name(pattern.replace("*", "x"))
    return pattern


def matches(name: str, pattern: str) -> bool:
    """Tell whether `name` matches `pattern`, in which `*` stands for any characters, a slash too."""
    return name == pattern or ("*" in pattern and fnmatchcase(name, pattern))


def scope_of(name: str) -> str:
    """Return the scope with its `@`, or "" for an unscoped name."""
    return name.split("/", 1)[0] if name.startswith("@") else ""


def base_name(name: str) -> str:
    """Return the part after the scope: `core` of `@babel/core`."""
    return name.rpartition("/")[2]


def key_text(name: str) -> str:
    """Return the key text of a package's records, such as `libreseed:@babel/core` (docs/protocol.md, section 2)."""
    return KEY_PREFIX + name


def tarball_file(name: str, version: str) -> str:
    """Return npm's file name of a version's tarball: `core-7.0.0.tgz` of `@babel/core`."""
    return f"{base_name(name)}-{version}.tgz"


def tarball_path(name: str, version: str) -> str:
    """Return the URL path of a version's tarball, without a leading slash."""
    return f"{quote(name, safe='@/')}/-/{quote(tarball_file(name, version))}"


def attestations_path(name: str, version: str) -> str:
    """Return the URL path of a version's attestations, without a leading slash."""
    return f"{ATTESTATIONS}{name.replace('/', '%2f')}@{quote(version, safe='')}"


def version_of_tarball(name: str, file: str) -> str:
    """Return the version that npm's tarball file name carries: `4.17.21` of `lodash-4.17.21.tgz`.

    Raises InvalidInputError when the file is no tarball of that package.
    """
    prefix = base_name(name) + "-"
    if not file.startswith(prefix) or not file.endswith(".tgz") or len(file) <= len(prefix) + 4:
        raise InvalidInputError(f"{file!r} is not the name of a tarball of {name}.")
    return file[len(prefix) : -4]
