"""The second factor of accounts: one-time passwords, their enrolment and check. Source: `npm profile enable-2fa`."""

import time
from collections.abc import Callable
from dataclasses import replace

from libreseed.accounts.attempts import Attempts
from libreseed.accounts.totp import matching_step, new_recovery_codes, new_secret, otpauth_url
from libreseed.errors import InvalidInputError, UnauthorizedError
from libreseed.store.tables.second_factors import Mode, SecondFactor, SecondFactorStore


class SecondFactors:
    """Checks one-time passwords of accounts that have enabled them. A code is accepted once (RFC 6238, 5.2), but again
    with the token that it first came with, because npm sends it with each request of a command."""

    def __init__(self, store: SecondFactorStore, attempts: Attempts, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._attempts = attempts
        self._clock = clock
        self._used: dict[str, tuple[int, str]] = {}

    async def find(self, account: str) -> SecondFactor | None:
        """Return the second factor of an account, also a pending one; None when it has none."""
        return await self._store.find(account)

    async def check(self, account: str, code: str, holder: str, *, writing: bool = False) -> None:
        """Raise UnauthorizedError with the challenge `OTP` unless no code is needed, or this one is right.

        `holder`: the key of the token that the code came with, "" for none. `writing`: a package is changed, not the
        account. Raises ForbiddenError after too many wrong codes.
        """
        factor = await self._store.find(account)
        if factor is None or factor.pending or (writing and factor.mode != "auth-and-writes"):
            return
        if not code:
            raise UnauthorizedError("This needs a one-time password.", hint="Give it by --otp=CODE.", challenge="OTP")
        await self._check_code(account, factor, code, holder)

    async def begin(self, account: str, mode: Mode) -> str | None:
        """Begin to enable the second factor and return the otpauth URL. If it is enabled, change its mode and return
        None."""
        factor = await self._store.find(account)
        if factor is not None and not factor.pending:
            await self._store.save(account, replace(factor, mode=mode))
            return None
        secret = new_secret()
        await self._store.save(account, SecondFactor(secret, mode, pending=True))
        return otpauth_url(secret, account)

    async def confirm(self, account: str, code: str, holder: str) -> list[str]:
        """Enable the pending second factor by a first code, and return the recovery codes.

        Raises InvalidInputError when nothing is pending, UnauthorizedError for a wrong code.
        """
        factor = await self._store.find(account)
        if factor is None or not factor.pending:
            raise InvalidInputError("There is nothing to confirm.", hint="Begin with: npm profile enable-2fa")
        await self._check_code(account, factor, code, holder)
        codes = new_recovery_codes()
        await self._store.confirm(account, codes)
        return codes

    async def remove(self, account: str) -> None:
        """Disable the second factor of an account."""
        await self._store.remove(account)
        self._used.pop(account, None)

    async def _check_code(self, account: str, factor: SecondFactor, code: str, holder: str) -> None:
        key = f"code of {account}"
        self._attempts.take(key)
        step = matching_step(factor.secret, code, self._clock())
        if step is not None:
            last, by = self._used.get(account, (0, ""))
            if step > last or (step == last and by == holder != ""):
                self._used[account] = step, holder
                self._attempts.give_back(key)
                return
        elif not factor.pending and await self._store.use_recovery_code(account, code):
            self._attempts.give_back(key)
            return
        raise UnauthorizedError(
            "Wrong one-time password, or used already.", hint="Wait for the next one.", challenge="OTP"
        )
