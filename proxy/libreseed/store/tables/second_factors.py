"""The second factor of accounts that have switched it on: the secret of its one-time passwords, and recovery codes."""

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from libreseed.store.database import Database

Mode = Literal["auth-only", "auth-and-writes"]


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The second factor of an account. `mode` says what needs a code: logging in and changing the account, or writes
    too. While `pending`, that is before a first code was right, nothing needs one."""

    secret: bytes
    mode: Mode
    pending: bool


class SecondFactorStore:
    """The tables `second_factors` and `recovery_codes`, the latter as hashes. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, account: str) -> SecondFactor | None:
        """Return the second factor of an account, None when it has none."""
        row = await self._database.row("SELECT secret, mode, pending FROM second_factors WHERE account = ?", account)
        return SecondFactor(row[0], row[1], bool(row[2])) if row else None

    async def save(self, account: str, factor: SecondFactor) -> None:
        """Save the second factor of an account."""
        await self._database.execute(
            "INSERT OR REPLACE INTO second_factors VALUES (?, ?, ?, ?)",
            account,
            factor.secret,
            factor.mode,
            factor.pending,
            durable=True,
        )

    async def confirm(self, account: str, codes: Iterable[str]) -> None:
        """End the pending state of an account's second factor, and save its recovery codes."""
        rows = [(account, _hash(code)) for code in codes]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE second_factors SET pending = 0 WHERE account = ?", (account,))
            connection.execute("DELETE FROM recovery_codes WHERE account = ?", (account,))
            connection.executemany("INSERT INTO recovery_codes VALUES (?, ?)", rows)

        await self._database.run(write, durable=True)

    async def use_recovery_code(self, account: str, code: str) -> bool:
        """Use up a recovery code. Return whether it was one that had not been used."""
        statement = "DELETE FROM recovery_codes WHERE account = ? AND hash = ?"
        return await self._database.run(
            lambda connection: connection.execute(statement, (account, _hash(code))).rowcount == 1, durable=True
        )

    async def remove(self, account: str) -> None:
        """Delete the second factor of an account, and its recovery codes."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM second_factors WHERE account = ?", (account,))
            connection.execute("DELETE FROM recovery_codes WHERE account = ?", (account,))

        await self._database.run(write, durable=True)


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.lower().encode()).digest()
