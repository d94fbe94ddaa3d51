"""Authorisation of requests about a package: by the access rules, the limits of the token, and the one-time password.

Every endpoint that takes a package name calls it.
"""

from collections.abc import Callable

from starlette.requests import Request

from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import ForbiddenError, UnauthorizedError
from libreseed.packages.access import AccessRules, Action
from libreseed.registry.http.identity import Caller, Identity


class Permissions:
    """Checks what a request may do. Its methods raise UnauthorizedError (401) without a valid token, ForbiddenError
    (403) for an account or token that may not."""

    def __init__(self, rules: AccessRules, identity: Identity, factors: SecondFactors) -> None:
        self._rules = rules
        self._identity = identity
        self._factors = factors

    def is_public(self, name: str) -> bool:
        """Tell whether everybody may read the package `name`."""
        return self._rules.is_public(name)

    def check_reading(self, request: Request, name: str) -> None:
        """Raise unless the request may read the metadata and tarballs of the package `name`."""
        if self._rules.is_public(name):
            return
        caller = self._identity.require(request)
        self._rules.check("read", name, caller.account)
        caller.token.limits.check_read(name)

    def reader(self, request: Request) -> Callable[[str], bool]:
        """Return a function that tells of a package name whether the request may read that package."""
        caller = self.known(request)

        def may_read(name: str) -> bool:
            if self._rules.is_public(name):
                return True
            return (
                caller is not None
                and caller.token.limits.may_read(name)
                and self._rules.allows("read", name, caller.account)
            )

        return may_read

    def known(self, request: Request) -> Caller | None:
        """Return who sent a request, None without a token that is valid now."""
        try:
            return self._identity.find(request)
        except UnauthorizedError:
            return None

    async def require(self, request: Request, action: Action, name: str) -> str:
        """Return the account of a request that may do `action` with the package `name`; raise if it may not."""
        caller = self._identity.require(request)
        caller.token.limits.check_write(name)
        self._rules.check(action, name, caller.account)
        if not caller.token.limits.bypasses_otp:
            await self._factors.check(caller.account, caller.code, caller.token.key, writing=True)
        return caller.account

    def check_wanted(self, name: str, access: object) -> None:
        """Raise ForbiddenError when `access`, "public" or "restricted", is not what the access rules make the package
        `name`; other values are ignored."""
        if access == "restricted" and self._rules.is_public(name):
            raise ForbiddenError(
                f"{name} is public here: everybody may read it, and it is shared with other nodes.",
                hint=f'To restrict it, the --config file of the node needs: access."{name}".read = ["$authenticated"]',
            )
        if access == "public" and not self._rules.is_public(name):
            raise ForbiddenError(
                f"{name} is restricted here, by a rule in [access] of the node's --config file.",
                hint="Change it there.",
            )
