"""Accounts and tokens. Passwords are kept as argon2id hashes, tokens as SHA-256: a token is random, so a quick
hash protects it, and checking one costs no time."""

import asyncio
import hashlib
import secrets
import sqlite3
import time

import nacl.exceptions
import nacl.pwhash

from libreseed.errors import ConflictError, UnauthorizedError
from libreseed.store.database import Database

_TOKEN_BYTES = 32


class AccountStore:
    """The tables `accounts` and `tokens`; live tokens are in memory. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens: dict[bytes, str] = {}

    async def open(self) -> None:
        """Read the tokens' hashes."""
        self._tokens = dict(await self._database.rows("SELECT hash, account FROM tokens"))

    async def create(self, name: str, password: str) -> None:
        """Make an account. Raises ConflictError when the name is taken."""
        hashed = await asyncio.to_thread(nacl.pwhash.argon2id.str, password.encode())

        def write(connection: sqlite3.Connection) -> bool:
            statement = "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)"
            return connection.execute(statement, (name, hashed, time.time())).rowcount == 1

        if not await self._database.run(write):
            raise ConflictError(f"The account {name!r} exists.", hint="Log in with its password.")

    async def exists(self, name: str) -> bool:
        """Tell whether there is an account of that name."""
        return await self._database.row("SELECT 1 FROM accounts WHERE name = ?", name) is not None

    async def check_password(self, name: str, password: str) -> None:
        """Raise UnauthorizedError unless the account exists and this is its password."""
        row = await self._database.row("SELECT password FROM accounts WHERE name = ?", name)
        try:
            if row is not None and await asyncio.to_thread(nacl.pwhash.verify, row[0], password.encode()):
                return
        except nacl.exceptions.InvalidkeyError:
            pass
        raise UnauthorizedError(f"Wrong name or password for {name!r}.")

    async def issue_token(self, name: str) -> str:
        """Make a token for an account and return it; only its hash is kept."""
        token = "ls_" + secrets.token_urlsafe(_TOKEN_BYTES)
        hashed = _hash(token)
        await self._database.execute("INSERT INTO tokens VALUES (?, ?, ?)", hashed, name, time.time())
        self._tokens[hashed] = name
        return token

    async def revoke_token(self, token: str) -> None:
        """Make a token worthless."""
        hashed = _hash(token)
        await self._database.execute("DELETE FROM tokens WHERE hash = ?", hashed)
        self._tokens.pop(hashed, None)

    def account_of(self, token: str) -> str | None:
        """Return whose token it is, from memory."""
        return self._tokens.get(_hash(token))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
