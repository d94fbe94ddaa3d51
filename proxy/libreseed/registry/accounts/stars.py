"""`star`, `unstar` and `stars` of npm and pnpm. A star belongs to the account: no packument changes by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.errors import InvalidInputError
from libreseed.packages.names import check_name
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.identity import Identity
from libreseed.registry.http.permissions import Permissions
from libreseed.store.tables.stars import StarStore

_BODY_LIMIT = 4 << 10


class StarEndpoints:
    """The stars of the accounts here, on packages from anywhere."""

    def __init__(
        self, stars: StarStore, packuments: PackumentDelivery, identity: Identity, permissions: Permissions
    ) -> None:
        self._stars = stars
        self._packuments = packuments
        self._identity = identity
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/_view/starredByUser", self.starred_by),
            Route("/-/user/v1/star", self.own),
            Route("/-/user/v1/star", self.own_star, methods=["PUT", "DELETE"]),
        ]

    async def star(self, request: Request, name: str, users: Mapping[str, Any]) -> Response:
        """PUT /PACKAGE with `users`, `{account: bool}`: the entry of the token's account counts, others are ignored."""
        user = self._identity.require(request).account
        self._permissions.check_reading(request, name)
        if users.get(user):
            await self._packuments.find(name)
            await self._stars.add(user, name)
        else:
            await self._stars.remove(user, name)
        return json_answer({"ok": True})

    async def starred_by(self, request: Request) -> Response:
        """GET /-/_view/starredByUser?key="USER": the packages that an account has starred."""
        self._identity.require(request)
        try:
            user = orjson.loads(request.query_params.get("key", ""))
        except orjson.JSONDecodeError as error:
            raise InvalidInputError('The key must be an account\'s name as a JSON string, such as "ann".') from error
        return json_answer({"rows": [{"value": name} for name in await self._readable(request, str(user))]})

    async def own(self, request: Request) -> Response:
        """GET /-/user/v1/star: the packages that the token's account has starred (pnpm)."""
        return json_answer(await self._readable(request, self._identity.require(request).account))

    async def own_star(self, request: Request) -> Response:
        """PUT or DELETE /-/user/v1/star with `{"name": PACKAGE}`: pnpm's star and unstar."""
        user = self._identity.require(request).account
        match await read_json(request, _BODY_LIMIT):
            case {"name": str(name)}:
                return await self.star(request, check_name(name), {user: request.method == "PUT"})
            case _:
                raise InvalidInputError("A star needs the name of a package.")

    async def _readable(self, request: Request, user: str) -> list[str]:
        may_read = self._permissions.reader(request)
        return [name for name in await self._stars.list(user) if may_read(name)]
