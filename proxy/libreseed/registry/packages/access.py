"""`npm access`, which shows the access rules. They are part of the node's configuration file, and only changed
there."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.errors import ForbiddenError, InvalidInputError, NotFoundError
from libreseed.packages.access import AccessRules
from libreseed.packages.packument import maintainers_of
from libreseed.packages.partial import read_versions_lazily
from libreseed.publishing.releases import Releases
from libreseed.registry.accounts.accounts import BODY_LIMIT
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.identity import Identity
from libreseed.registry.http.paths import PACKAGE, raw_path, read_package_path
from libreseed.registry.http.permissions import Permissions


class AccessEndpoints:
    """The requests of `npm access get`, `list` and `set`."""

    def __init__(
        self,
        rules: AccessRules,
        *,
        packuments: PackumentDelivery,
        releases: Releases,
        permissions: Permissions,
        identity: Identity,
    ) -> None:
        self._rules = rules
        self._packuments = packuments
        self._releases = releases
        self._permissions = permissions
        self._identity = identity

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/user/{user}/package", self.packages),
            Route(f"{PACKAGE}/visibility", self.visibility),
            Route(f"{PACKAGE}/collaborators", self.collaborators),
            Route(f"{PACKAGE}/access", self.get),
            Route(f"{PACKAGE}/access", self.set, methods=["POST"]),
        ]

    async def visibility(self, request: Request) -> Response:
        """GET /-/package/PACKAGE/visibility: `{"public": bool}`."""
        name = await self._find(request)
        return json_answer({"public": self._rules.is_public(name)})

    async def get(self, request: Request) -> Response:
        """GET /-/package/PACKAGE/access: pnpm's request for the visibility."""
        name = await self._find(request)
        return json_answer({"access": "public" if self._rules.is_public(name) else "restricted"})

    async def collaborators(self, request: Request) -> Response:
        """GET /-/package/PACKAGE/collaborators: the accounts in the access rule, and without a rule the maintainers.

        npm reads an object of permissions by account, pnpm a list of objects with both.
        """
        self._identity.require(request)
        name = await self._find(request)
        readers = self._rules.members("read", name) or ()
        writers = self._rules.members("publish", name)
        if writers is None:
            packument = await asyncio.to_thread(read_versions_lazily, (await self._packuments.find(name)).body)
            writers = frozenset(maintainers_of(packument))
        found = {**dict.fromkeys(sorted(readers), "read"), **dict.fromkeys(sorted(writers), "write")}
        if request.headers.get("user-agent", "").startswith("pnpm/"):
            permissions = {"read": "read-only", "write": "read-write"}
            return json_answer([{"user": user, "permissions": permissions[may]} for user, may in found.items()])
        return json_answer(found)

    async def packages(self, request: Request) -> Response:
        """GET /-/user/NAME/package: the packages published on this node that the account may change."""
        may_read = self._permissions.reader(request)
        self._identity.require(request)
        names = await self._releases.packages_of(request.path_params["user"])
        return json_answer({name: "write" for name in names if may_read(name)})

    async def set(self, request: Request) -> Response:
        """POST /-/package/PACKAGE/access: accepted when the package has that access already, else refused with a hint
        at the configuration file."""
        name = await self._find(request)
        await self._permissions.require(request, "publish", name)
        match await read_json(request, BODY_LIMIT):
            case {"access": "public" | "restricted" as wanted}:
                self._permissions.check_wanted(name, wanted)
                return json_answer({"ok": True})
            case {"publish_requires_tfa": _}:
                raise ForbiddenError(
                    "One-time passwords are asked for by account here, not by package.",
                    hint="npm profile enable-2fa auth-and-writes",
                )
            case _:
                raise InvalidInputError("What can be set is the access: public or restricted.")

    async def _find(self, request: Request) -> str:
        path = read_package_path(raw_path(request).removeprefix("/-/package/"))
        if len(path.rest) != 1:
            raise NotFoundError(f"This registry has no {request.method} {request.url.path}.")
        self._permissions.check_reading(request, path.name)
        await self._packuments.find(path.name)
        return path.name
