"""GET /-/libreseed/info/PACKAGE, or PACKAGE/VERSION: what `libreseed info` shows."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.info import PackageInfo
from libreseed.errors import NotFoundError
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.paths import raw_path, read_package_path
from libreseed.registry.http.permissions import Permissions

INFO = "/-/libreseed/info/"


class InfoEndpoint:
    """The origin and checks of a version, as JSON."""

    def __init__(self, info: PackageInfo, permissions: Permissions) -> None:
        self._info = info
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(f"{INFO}{{package:path}}", self.info),
        ]

    async def info(self, request: Request) -> Response:
        """Describe the version that a version, dist-tag or range stands for; without one, `latest`."""
        path = read_package_path(raw_path(request).removeprefix(INFO))
        match path.rest:
            case ():
                wanted = "latest"
            case (wanted,):
                pass
            case _:
                raise NotFoundError(f"This registry has no {request.url.path}.")
        self._permissions.check_reading(request, path.name)
        described, found = await self._info.describe(path.name, wanted)
        return json_answer(described, source=found.source)
