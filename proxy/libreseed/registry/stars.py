"""`star`, `unstar` and `stars` of npm and pnpm. A star is the account's own note: no package changes by it."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from libreseed.delivery.packuments import PackumentDelivery
from libreseed.errors import InvalidInputError
from libreseed.packages.names import check_name
from libreseed.registry.accounts import AccountEndpoints
from libreseed.registry.answers import json_answer
from libreseed.registry.bodies import read_json
from libreseed.store.stars import StarStore

_BODY_LIMIT = 4 << 10


class StarEndpoints:
    """The stars of the accounts here, on packages from anywhere."""

    def __init__(self, stars: StarStore, packuments: PackumentDelivery, accounts: AccountEndpoints) -> None:
        self._stars = stars
        self._packuments = packuments
        self._accounts = accounts

    async def star(self, name: str, user: str, *, starred: bool) -> Response:
        """PUT /PACKAGE with `users`: the account's own entry there decides, those of others are passed over."""
        if starred:
            await self._packuments.find(name)
            await self._stars.add(user, name)
        else:
            await self._stars.remove(user, name)
        return json_answer({"ok": True})

    async def starred_by(self, request: Request) -> Response:
        """GET /-/_view/starredByUser?key="USER": the packages that an account has starred."""
        self._accounts.require(request)
        try:
            user = orjson.loads(request.query_params.get("key", ""))
        except orjson.JSONDecodeError as error:
            raise InvalidInputError('The key must be an account\'s name as a JSON string, such as "ann".') from error
        return json_answer({"rows": [{"value": name} for name in await self._stars.list(str(user))]})

    async def own(self, request: Request) -> Response:
        """GET /-/user/v1/star: the packages that the token's account has starred, as pnpm asks for them."""
        return json_answer(await self._stars.list(self._accounts.require(request)))

    async def own_star(self, request: Request) -> Response:
        """PUT or DELETE /-/user/v1/star with `{"name": PACKAGE}`: pnpm's star and unstar."""
        user = self._accounts.require(request)
        match await read_json(request, _BODY_LIMIT):
            case {"name": str(name)}:
                return await self.star(check_name(name), user, starred=request.method == "PUT")
            case _:
                raise InvalidInputError("A star needs the name of a package.")
