"""Authentication: the account of a request by its token, its one-time password, and its address."""

import ipaddress
import time
from dataclasses import dataclass

from starlette.requests import Request

from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import UnauthorizedError
from libreseed.store.tables.tokens import IssuedToken, TokenStore


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account, its token, and the one-time password of the request, "" for none."""

    account: str
    token: IssuedToken
    code: str


class Identity:
    """Reads the headers `authorization` and `npm-otp`."""

    def __init__(self, tokens: TokenStore, factors: SecondFactors) -> None:
        self._tokens = tokens
        self._factors = factors

    def find(self, request: Request) -> Caller | None:
        """Return who sent a request, None when it has no token. Raises UnauthorizedError for a token that is unknown,
        expired, or not for that address."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        token = self._tokens.find(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            return None
        token.limits.check_use(address_of(request), time.time())
        return Caller(token.account, token, otp_of(request))

    def require(self, request: Request) -> Caller:
        """Return who sent a request. Raises UnauthorizedError as `find`, and without a token."""
        caller = self.find(request)
        if caller is None:
            raise UnauthorizedError(
                "You are not logged in here.",
                hint=f"Log in with: npm login --registry {request.url.scheme}://{request.headers['host']}",
            )
        return caller

    async def require_full(self, request: Request) -> Caller:
        """Return who sent a request to manage its account. Raises UnauthorizedError as `require`, and without a
        one-time password where one is needed; ForbiddenError for a token with limits."""
        caller = self.require(request)
        caller.token.limits.check_full()
        await self._factors.check(caller.account, caller.code, caller.token.key)
        return caller


def otp_of(request: Request) -> str:
    """Return the one-time password in the header `npm-otp`, "" for none."""
    return request.headers.get("npm-otp", "").replace(" ", "")


def address_of(request: Request) -> str:
    """Return the IP address that a request comes from, "" when it is not known."""
    return request.client.host if request.client is not None else ""


def is_local(request: Request) -> bool:
    """Tell whether a request comes from a loopback address, or has no IP address, as within this process."""
    try:
        return request.client is None or ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
