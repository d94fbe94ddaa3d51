"""Paths of the registry protocol: the package name, and the segments after it.

Clients send scoped names as `/@scope/name`, `/@scope%2fname` or `/@scope%2Fname`, which mean the same.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from libreseed.errors import InvalidInputError
from libreseed.packages.names import check_name

PACKAGE = "/-/package/{package:path}"
"""The route of paths below `/-/package/NAME`; a scoped name may be written with a plain slash."""
_NO_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class PackagePath:
    """A package and the decoded path segments after it: `()`, `("1.0.0",)`, `("-", "lodash-4.17.21.tgz")`."""

    name: str
    rest: tuple[str, ...]


def raw_path(request: Request) -> str:
    """Return the path as it was sent, percent-encoded."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1")


def read_package_path(raw: str) -> PackagePath:
    """Return what a percent-encoded path names; its leading slash may be missing.

    Raises InvalidInputError when it does not begin with a package name, or one of the segments after it is no name of
    anything: an upstream might read `..%2f` as a path, and answer for another package.
    """
    segments = [unquote(segment) for segment in raw.strip("/").split("/")]
    if segments[0].startswith("@") and "/" not in segments[0] and len(segments) > 1:
        segments[:2] = [f"{segments[0]}/{segments[1]}"]
    name, rest = check_name(segments[0]), tuple(segments[1:])
    for segment in rest:
        if segment in (".", "..") or _NO_NAME.search(segment):
            raise InvalidInputError(f"{segment[:100]!r} is no name of a version or file.")
    return PackagePath(name, rest)


def base_url(request: Request) -> str:
    """Return this registry's URL as the client has it (scheme and Host header), without a slash at its end."""
    return f"{request.scope['scheme']}://{request.headers['host']}"
