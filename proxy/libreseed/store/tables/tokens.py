"""Tokens, stored by their SHA-256. They are random, so no slow hash is needed to protect them as passwords need one."""

import hashlib
import secrets
import time
from dataclasses import dataclass

import orjson

from libreseed.errors import ConflictError, NotFoundError
from libreseed.packages.tokens import TokenLimits
from libreseed.store.database import Database

MAX_TOKENS = 1000
"""Tokens that one account may have."""
_TOKEN_BYTES = 32
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token without its secret. `key` is its hex SHA-256, `shown` its first characters, `label` the name that its
    owner gave it, `created` in seconds since the epoch."""

    key: str
    account: str
    created: float
    shown: str
    label: str
    limits: TokenLimits


class TokenStore:
    """The table `tokens`; those that have not expired are also kept in memory. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens: dict[str, IssuedToken] = {}

    async def open(self) -> None:
        """Load the tokens, and delete those that have expired."""
        for row in await self._database.rows("SELECT hash, account, created, shown, label, limits FROM tokens"):
            account, created, shown, label = row[1:5]
            token = IssuedToken(
                key=row[0].hex(),
                account=account,
                created=created,
                shown=shown,
                label=label,
                limits=TokenLimits.from_json(orjson.loads(row[5])),
            )
            self._tokens[token.key] = token
        now = time.time()
        for token in list(self._tokens.values()):
            if token.limits.expires is not None and token.limits.expires <= now:
                await self._drop(token.key)

    def find(self, token: str) -> IssuedToken | None:
        """Return an issued token, or None. Whether it may be used now is for its `limits` to check."""
        return self._tokens.get(_hash(token).hex())

    def list(self, account: str) -> list[IssuedToken]:
        """Return the tokens of an account, the newest first."""
        own = [token for token in self._tokens.values() if token.account == account]
        return sorted(own, key=lambda token: token.created, reverse=True)

    async def issue(self, account: str, label: str = "", limits: TokenLimits | None = None) -> tuple[str, IssuedToken]:
        """Make a token. Return its secret, which is not stored, and the token as it is. Raises ConflictError when the
        account has 1000."""
        if len(self.list(account)) >= MAX_TOKENS:
            raise ConflictError(f"{account} has {MAX_TOKENS} tokens.", hint="Revoke some: npm token revoke ID")
        text = "ls_" + secrets.token_urlsafe(_TOKEN_BYTES)
        hashed = _hash(text)
        token = IssuedToken(
            key=hashed.hex(),
            account=account,
            created=time.time(),
            shown=text[:_SHOWN],
            label=label,
            limits=limits or TokenLimits(),
        )
        await self._database.execute(
            "INSERT INTO tokens (hash, account, created, shown, label, limits) VALUES (?, ?, ?, ?, ?, ?)",
            hashed,
            account,
            token.created,
            token.shown,
            label,
            orjson.dumps(token.limits.as_json()),
            durable=True,
        )
        self._tokens[token.key] = token
        return text, token

    async def revoke(self, account: str, token: str) -> None:
        """Delete a token of an account, given by its key or its secret. Raises NotFoundError when there is none."""
        for key in (token, _hash(token).hex()):
            found = self._tokens.get(key)
            if found is not None and found.account == account:
                await self._drop(key)
                return
        raise NotFoundError(f"{account} has no such token.", hint="See: npm token list")

    async def _drop(self, key: str) -> None:
        await self._database.execute("DELETE FROM tokens WHERE hash = ?", bytes.fromhex(key), durable=True)
        self._tokens.pop(key, None)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
