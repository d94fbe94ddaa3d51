"""Accounts: names, passwords as argon2id hashes (RFC 9106), and the fields of `npm profile`."""

import asyncio
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

import nacl.exceptions
import nacl.pwhash
import orjson

from libreseed.errors import ConflictError, NotFoundError, UnauthorizedError
from libreseed.store.database import Database


@dataclass(frozen=True, slots=True)
class Account:
    """An account. `created`: seconds since the epoch; `profile`: email, full name and the like, as `npm profile` has
    them."""

    name: str
    created: float
    profile: dict[str, Any]


class AccountStore:
    """The table `accounts`. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, password: str) -> None:
        """Make an account. Raises ConflictError when the name is taken."""
        hashed = await _hash(password)

        def write(connection: sqlite3.Connection) -> bool:
            statement = "INSERT OR IGNORE INTO accounts (name, password, created) VALUES (?, ?, ?)"
            return connection.execute(statement, (name, hashed, time.time())).rowcount == 1

        if not await self._database.run(write, durable=True):
            raise ConflictError(f"The account {name!r} exists.", hint="Log in with its password.")

    async def find(self, name: str) -> Account:
        """Return an account. Raises NotFoundError."""
        row = await self._database.row("SELECT name, created, profile FROM accounts WHERE name = ?", name)
        if row is None:
            raise NotFoundError(f"There is no account {name[:64]!r} here.")
        return Account(row[0], row[1], orjson.loads(row[2]))

    async def exists(self, name: str) -> bool:
        """Tell whether there is an account of that name."""
        return await self._database.row("SELECT 1 FROM accounts WHERE name = ?", name) is not None

    async def is_empty(self) -> bool:
        """Tell whether there is no account yet."""
        return await self._database.row("SELECT 1 FROM accounts") is None

    async def check_password(self, name: str, password: str) -> None:
        """Raise UnauthorizedError unless the account exists and this is its password."""
        row = await self._database.row("SELECT password FROM accounts WHERE name = ?", name)
        try:
            if row is not None and await asyncio.to_thread(nacl.pwhash.verify, row[0], password.encode()):
                return
        except nacl.exceptions.InvalidkeyError:
            pass
        raise UnauthorizedError(f"Wrong name or password for {name[:64]!r}.")

    async def set_password(self, name: str, password: str) -> None:
        """Replace the password."""
        await self._database.execute(
            "UPDATE accounts SET password = ? WHERE name = ?", await _hash(password), name, durable=True
        )

    async def set_profile(self, name: str, profile: dict[str, Any]) -> None:
        """Replace the profile."""
        await self._database.execute(
            "UPDATE accounts SET profile = ? WHERE name = ?", orjson.dumps(profile), name, durable=True
        )


async def _hash(password: str) -> bytes:
    hashed: bytes = await asyncio.to_thread(nacl.pwhash.argon2id.str, password.encode())
    return hashed
