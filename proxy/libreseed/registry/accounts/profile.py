"""`npm profile get`, `set`, `enable-2fa` and `disable-2fa`. Source: npm's `npm-profile`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.accounts.login import Login, check_new_password
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import InvalidInputError
from libreseed.packages.changes import iso_time
from libreseed.registry.accounts.accounts import BODY_LIMIT
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_json
from libreseed.registry.http.identity import Caller, Identity, address_of
from libreseed.store.tables.accounts import AccountStore

_FIELDS = ("email", "fullname", "homepage", "freenode", "twitter", "github")
_LENGTH = 254


class ProfileEndpoints:
    """The fields of an account's profile, its password and its second factor."""

    def __init__(self, accounts: AccountStore, login: Login, factors: SecondFactors, identity: Identity) -> None:
        self._accounts = accounts
        self._login = login
        self._factors = factors
        self._identity = identity

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route("/-/npm/v1/user", self.get),
            Route("/-/npm/v1/user", self.set, methods=["POST"]),
        ]

    async def get(self, request: Request) -> Response:
        """GET /-/npm/v1/user: the profile of the token's account."""
        return json_answer(await self._profile(self._identity.require(request).account))

    async def set(self, request: Request) -> Response:
        """POST /-/npm/v1/user: fields of the profile, `password: {old, new}`, or `tfa`."""
        caller = await self._identity.require_full(request)
        body = await read_json(request, BODY_LIMIT)
        match body:
            case {"tfa": tfa} if tfa is not None:
                return json_answer({"tfa": await self._set_second_factor(request, caller, tfa)})
            case {"password": {"old": str(old), "new": str(new)}}:
                await self._login.check_password(caller.account, old, address_of(request))
                check_new_password(new)
                await self._set_fields(caller.account, body)
                await self._accounts.set_password(caller.account, new)
            case {"password": password} if password is not None:
                raise InvalidInputError("A new password comes with the old one: npm profile set password")
            case dict():
                await self._set_fields(caller.account, body)
            case _:
                raise InvalidInputError("A profile is a JSON object.")
        return json_answer(await self._profile(caller.account))

    async def _profile(self, name: str) -> dict[str, Any]:
        account = await self._accounts.find(name)
        factor = await self._factors.find(name)
        return {
            "name": name,
            **{field: account.profile.get(field) for field in _FIELDS},
            "email_verified": False,
            "created": iso_time(datetime.fromtimestamp(account.created, UTC)),
            "tfa": {"mode": factor.mode, "pending": factor.pending} if factor else None,
        }

    async def _set_fields(self, name: str, fields: Mapping[str, Any]) -> None:
        """Set those of the fields that npm knows; null removes one."""
        profile = dict((await self._accounts.find(name)).profile)
        for field in _FIELDS:
            if field in fields:
                value = fields[field]
                if value is not None and not (isinstance(value, str) and len(value) <= _LENGTH and value.isprintable()):
                    raise InvalidInputError(f"{field!r} is a text of at most {_LENGTH} characters.")
                profile[field] = value
        await self._accounts.set_profile(name, {field: value for field, value in profile.items() if value})

    async def _set_second_factor(self, request: Request, caller: Caller, wanted: object) -> object:
        """Return what npm expects at each step: the otpauth URL, the recovery codes, or the mode in force."""
        match wanted:
            case [str(code)]:
                return await self._factors.confirm(caller.account, code.replace(" ", ""), caller.token.key)
            case {"password": str(password), "mode": "disable"}:
                await self._login.check_password(caller.account, password, address_of(request))
                await self._factors.remove(caller.account)
                return None
            case {"password": str(password), "mode": "auth-only" | "auth-and-writes" as mode}:
                await self._login.check_password(caller.account, password, address_of(request))
                return await self._factors.begin(caller.account, mode) or {"mode": mode, "pending": False}
            case _:
                raise InvalidInputError("A second factor is set by npm profile enable-2fa or disable-2fa.")
