"""`npm token list`, `create` and `revoke`. Source: npm's `npm-profile`."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.accounts.login import Login
from libreseed.errors import InvalidInputError
from libreseed.packages.changes import iso_time
from libreseed.packages.tokens import read_limits
from libreseed.registry.accounts.accounts import BODY_LIMIT
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.identity import Identity, address_of
from libreseed.store.tables.tokens import IssuedToken, TokenStore

_LABEL = 200


class TokenEndpoints:
    """The tokens of an account, for requests with one of its tokens that has no limits."""

    def __init__(self, tokens: TokenStore, login: Login, identity: Identity) -> None:
        self._tokens = tokens
        self._login = login
        self._identity = identity

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/npm/v1/tokens", self.list),
            Route("/-/npm/v1/tokens", self.create, methods=["POST"]),
            Route("/-/npm/v1/tokens/token/{key}", self.revoke, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """GET /-/npm/v1/tokens: all tokens, on one page."""
        caller = self._identity.require(request)
        caller.token.limits.check_full()
        return json_answer({"objects": [_object(token) for token in self._tokens.list(caller.account)], "urls": {}})

    async def create(self, request: Request) -> Response:
        """POST /-/npm/v1/tokens with the account's password and the limits that `packages.tokens` reads."""
        caller = await self._identity.require_full(request)
        match await read_json(request, BODY_LIMIT):
            case {"password": str(password)} as body:
                pass
            case _:
                raise InvalidInputError("A token is made with the account's password.")
        limits = read_limits(body, time.time())
        await self._login.check_password(caller.account, password, address_of(request))
        label = str(body.get("name") or body.get("description") or "")[:_LABEL]
        text, token = await self._tokens.issue(caller.account, label, limits)
        return json_answer({**_object(token), "token": text}, 201)

    async def revoke(self, request: Request) -> Response:
        """DELETE /-/npm/v1/tokens/token/KEY, or the token itself instead of its key."""
        caller = await self._identity.require_full(request)
        await self._tokens.revoke(caller.account, request.path_params["key"])
        return json_answer({"ok": True})


def _object(token: IssuedToken) -> dict[str, Any]:
    limits = token.limits
    created = _time(token.created)
    return {
        "key": token.key,
        "token": token.shown,
        "name": token.label,
        "created": created,
        "updated": created,
        "readonly": not limits.writes,
        "cidr_whitelist": list(limits.networks) or None,
        "packages": list(limits.patterns) if limits.patterns is not None else None,
        "expires": _time(limits.expires) if limits.expires is not None else None,
        "bypass_2fa": limits.bypasses_otp,
    }


def _time(seconds: float) -> str:
    return iso_time(datetime.fromtimestamp(seconds, UTC))
