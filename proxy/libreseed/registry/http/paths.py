"""The paths of the registry protocol: which package, and what of it.

Scoped names come as `/@scope/name`, `/@scope%2fname` and `/@scope%2Fname`; all three are one.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from libreseed.packages.names import check_name

PACKAGE = "/-/package/{package:path}"
"""The route below which a package's own settings stand; scoped names may be spelt with a slash."""


@dataclass(frozen=True, slots=True)
class PackagePath:
    """A package and the decoded path segments after it: `()`, `("1.0.0",)`, `("-", "lodash-4.17.21.tgz")`."""

    name: str
    rest: tuple[str, ...]


def raw_path(request: Request) -> str:
    """Return the path as the client spelt it, still percent-encoded."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("latin-1")


def read_package_path(raw: str) -> PackagePath:
    """Read a path as it was sent, still percent-encoded, with or without its leading slash.

    Raises InvalidInputError when it does not begin with a package name.
    """
    segments = [unquote(segment) for segment in raw.strip("/").split("/")]
    if segments[0].startswith("@") and "/" not in segments[0] and len(segments) > 1:
        segments[:2] = [f"{segments[0]}/{segments[1]}"]
    return PackagePath(check_name(segments[0]), tuple(segments[1:]))


def base_url(request: Request) -> str:
    """Return the URL that the client knows us by, without a slash at its end."""
    return f"{request.scope['scheme']}://{request.headers['host']}"
