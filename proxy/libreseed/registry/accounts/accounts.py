"""Login in the style of CouchDB, whoami and logout. Source: npm's `npm-profile`."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.accounts.login import Login
from libreseed.errors import InvalidInputError
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.identity import Identity, address_of, is_local, otp_of
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.tokens import TokenStore

BODY_LIMIT = 64 << 10
_USER = "/-/user/org.couchdb.user:{user}"


class AccountEndpoints:
    """Login, logout and whoami. New accounts can be made from this machine only."""

    def __init__(self, accounts: AccountStore, tokens: TokenStore, login: Login, identity: Identity) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._login = login
        self._identity = identity

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/whoami", self.whoami),
            Route(_USER, self.login, methods=["PUT"]),
            Route(f"{_USER}/-rev/{{rev}}", self.login, methods=["PUT"]),
            Route("/-/user/token/{token}", self.logout, methods=["DELETE"]),
            Route(_USER, self.user),
        ]

    async def login(self, request: Request) -> Response:
        """PUT /-/user/org.couchdb.user:NAME, perhaps with /-rev/REV: log in, or make the account when there is none of
        that name."""
        match await read_json(request, BODY_LIMIT):
            case {"name": str(name), "password": str(password), **others} if name and password:
                pass
            case _:
                raise InvalidInputError("A login needs a name and a password.")
        if name != request.path_params["user"]:
            raise InvalidInputError("The name in the body is not the one in the path.")
        if await self._accounts.exists(name):
            await self._login.log_in(name, password, otp_of(request), address_of(request))
        else:
            await self._login.sign_up(name, password, str(others.get("email") or ""), local=is_local(request))
        token, _ = await self._tokens.issue(name)
        return json_answer({"ok": f"you are logged in as {name}", "token": token}, 201)

    async def user(self, request: Request) -> Response:
        """GET /-/user/org.couchdb.user:NAME: whether there is such an account, which `npm owner add` asks first."""
        self._identity.require(request)
        account = await self._accounts.find(request.path_params["user"])
        email = account.profile.get("email") or ""
        return json_answer({"_id": f"org.couchdb.user:{account.name}", "name": account.name, "email": email})

    async def logout(self, request: Request) -> Response:
        """DELETE /-/user/token/TOKEN: revoke the token."""
        caller = self._identity.require(request)
        token = request.path_params["token"]
        if self._tokens.find(token) != caller.token:
            caller.token.limits.check_full()
        await self._tokens.revoke(caller.account, token)
        return json_answer({"ok": True})

    async def whoami(self, request: Request) -> Response:
        """GET /-/whoami: `{"username"}` of the token's account."""
        return json_answer({"username": self._identity.require(request).account})
