"""Accounts as npm knows them: couch-style login, whoami, logout."""

import ipaddress

from starlette.requests import Request
from starlette.responses import Response

from libreseed.errors import ForbiddenError, InvalidInputError, NotFoundError, UnauthorizedError
from libreseed.registry.answers import json_answer
from libreseed.registry.bodies import read_json
from libreseed.store.accounts import AccountStore

_BODY_LIMIT = 64 << 10
_NAME_LENGTH = 64


class AccountEndpoints:
    """Login and who is logged in. New accounts are made from this machine only."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def login(self, request: Request) -> Response:
        """PUT /-/user/org.couchdb.user:NAME: log in, or make the account when there is none of that name."""
        body = await read_json(request, _BODY_LIMIT)
        match body:
            case {"name": str(name), "password": str(password)} if 0 < len(name) <= _NAME_LENGTH and password:
                pass
            case _:
                raise InvalidInputError("A login needs a name and a password.")
        if name != request.path_params["user"]:
            raise InvalidInputError("The name in the body is not the one in the path.")
        if await self._accounts.exists(name):
            await self._accounts.check_password(name, password)
        elif not _is_local(request):
            raise ForbiddenError(
                f"There is no account {name!r}, and new ones are made on the machine that LibreSeed runs on only."
            )
        else:
            await self._accounts.create(name, password)
        token = await self._accounts.issue_token(name)
        return json_answer({"ok": f"you are logged in as {name}", "token": token}, 201)

    async def user(self, request: Request) -> Response:
        """GET /-/user/org.couchdb.user:NAME: whether there is such an account, which `npm owner add` asks first."""
        self.require(request)
        name = request.path_params["user"]
        await self.check_exists(name)
        return json_answer({"_id": f"org.couchdb.user:{name}", "name": name, "email": ""})

    async def logout(self, request: Request) -> Response:
        """DELETE /-/user/token/TOKEN: the token is worth nothing from now on."""
        self.require(request)
        await self._accounts.revoke_token(request.path_params["token"])
        return json_answer({"ok": True})

    async def whoami(self, request: Request) -> Response:
        """GET /-/whoami."""
        return json_answer({"username": self.require(request)})

    async def check_exists(self, name: str) -> None:
        """Raise NotFoundError when there is no account of that name."""
        if not await self._accounts.exists(name):
            raise NotFoundError(f"There is no account {name[:_NAME_LENGTH]!r} here.")

    def require(self, request: Request) -> str:
        """Return the account of the request's token. Raises UnauthorizedError."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account = self._accounts.account_of(token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise UnauthorizedError(
                "You are not logged in here.",
                hint=f"Log in with: npm login --registry {request.url.scheme}://{request.headers['host']}",
            )
        return account


def _is_local(request: Request) -> bool:
    if request.client is None:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
