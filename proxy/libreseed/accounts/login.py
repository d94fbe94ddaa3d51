"""Login by name and password, and sign-up."""

import re

from libreseed.accounts.attempts import BURST, Attempts
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.errors import ForbiddenError, InvalidInputError
from libreseed.store.tables.accounts import AccountStore

_NAME = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}", re.ASCII)
_PER_ADDRESS = 5 * BURST
"""Wrong guesses allowed to an address: more than to an account, because many people may share it."""
_EMAIL = 254
_PASSWORD_BYTES = 1024


class Login:
    """Checks passwords, with a limit on wrong ones, and makes accounts."""

    def __init__(self, accounts: AccountStore, factors: SecondFactors) -> None:
        self._accounts = accounts
        self._factors = factors
        self._by_account = Attempts()
        self._by_address = Attempts(_PER_ADDRESS)

    async def log_in(self, name: str, password: str, code: str, address: str) -> None:
        """Raise UnauthorizedError unless the password is right, and the one-time password where one is needed.

        Raises ForbiddenError after too many wrong ones.
        """
        await self.check_password(name, password, address)
        await self._factors.check(name, code, "")

    async def check_password(self, name: str, password: str, address: str) -> None:
        """Raise UnauthorizedError for a wrong password, ForbiddenError after too many of them."""
        self._by_address.take(address)
        self._by_account.take(name)
        await self._accounts.check_password(name, password)
        self._by_account.give_back(name)
        self._by_address.give_back(address)

    async def sign_up(self, name: str, password: str, email: str = "", *, local: bool) -> None:
        """Make an account; only for a request from this machine (`local`).

        Raises ForbiddenError for another machine, InvalidInputError for a name or password that is not allowed,
        ConflictError for a name that is taken.
        """
        if not local:
            raise ForbiddenError(
                f"There is no account {name[:64]!r}, and new ones are made on the machine that LibreSeed runs on only."
            )
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                "The name of an account is 1 to 64 of a-z, 0-9, '_', '~', '-' and '.', the last not in front."
            )
        check_new_password(password)
        await self._accounts.create(name, password)
        if email:
            await self._accounts.set_profile(name, {"email": email[:_EMAIL]})


def check_new_password(password: str) -> None:
    """Raise InvalidInputError unless a password has 1 to 1024 bytes."""
    if not 0 < len(password.encode()) <= _PASSWORD_BYTES:
        raise InvalidInputError(f"A password has 1 to {_PASSWORD_BYTES} bytes.")
