"""Paths of the registry protocol: the package name, and the segments after it.

Clients send scoped names as `/@scope/name`, `/@scope%2fname` or `/@scope%2Fname`, which mean the same.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from libreseed.packages.names import check_name

PACKAGE = "/-/package/{package:path}"
"""The route of paths below `/-/package/NAME`; a scoped name may be written with a plain slash."""


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

    Raises InvalidInputError when it does not begin with a package name.
    """
    segments = [unquote(segment) for segment in raw.strip("/").split("/")]
    if segments[0].startswith("@") and "/" not in segments[0] and len(segments) > 1:
        segments[:2] = [f"{segments[0]}/{segments[1]}"]
    return PackagePath(check_name(segments[0]), tuple(segments[1:]))


def base_url(request: Request) -> str:
    """Return this registry's URL as the client has it (scheme and Host header), without a slash at its end."""
    return f"{request.scope['scheme']}://{request.headers['host']}"
