"""GET and HEAD of packages, which nearly all requests of an install are. Their route is matched first, without a
regular expression."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from libreseed.errors import NotFoundError
from libreseed.registry.http.paths import PackagePath, raw_path, read_package_path
from libreseed.registry.http.permissions import Permissions
from libreseed.registry.packages.packuments import PackumentEndpoints
from libreseed.registry.packages.tarballs import TarballEndpoint


class ReadEndpoints:
    """Reads of a package: its packument, one version, or a tarball."""

    def __init__(self, packuments: PackumentEndpoints, tarballs: TarballEndpoint, permissions: Permissions) -> None:
        self._packuments = packuments
        self._tarballs = tarballs
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The routes of these endpoints."""
        return [PackageReads(self.read)]

    async def read(self, request: Request) -> Response:
        """GET /PACKAGE, /PACKAGE/VERSION, /PACKAGE/-/FILE."""
        path = read_package_path(raw_path(request))
        self._permissions.check_reading(request, path.name)
        answer = await self._read(request, path)
        if not self._permissions.is_public(path.name):
            answer.headers["Cache-Control"] = "private, no-cache"  # shared caches must not keep it (RFC 9111, 5.2.2.7)
        return answer

    async def _read(self, request: Request, path: PackagePath) -> Response:
        match path.rest:
            case ():
                return await self._packuments.packument(request, path.name)
            case ("-", file):
                return await self._tarballs.tarball(request, path.name, file)
            case ("-", _, file):  # cnpm's /@scope/name/-/@scope/name-1.0.0.tgz
                return await self._tarballs.tarball(request, path.name, file)
            case (wanted,):
                return await self._packuments.manifest(request, path.name, wanted)
            case _:
                raise NotFoundError(f"This registry has no {request.url.path}.")


class PackageReads(BaseRoute):
    """Routes every GET and HEAD to `endpoint`, except for `/` and paths below `/-/`."""

    def __init__(self, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        self._endpoint = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a request (Starlette's BaseRoute)."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        path = scope["path"]
        return (Match.NONE if path == "/" or path.startswith("/-/") else Match.FULL), {}

    def url_path_for(self, name: str, /, **_: object) -> object:  # type: ignore[override]
        """Raise NoMatchFound, since the route has no name."""
        raise NoMatchFound(name, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = await self._endpoint(Request(scope, receive))
        await answer(scope, receive, send)
