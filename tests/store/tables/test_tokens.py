import time

import pytest

from libreseed.errors import ConflictError, NotFoundError
from libreseed.packages.tokens import TokenLimits
from libreseed.store.database import Database
from libreseed.store.tables import tokens
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.tokens import TokenStore


@pytest.fixture
async def store(database: Database) -> TokenStore:
    for name in ("ann", "bob"):
        await AccountStore(database).create(name, "secret")
    return TokenStore(database)


async def test_tokens(store: TokenStore, database: Database) -> None:
    (first, _), (second, issued) = await store.issue("ann"), await store.issue("ann", "for CI")
    assert first != second
    assert store.find(second) == issued
    assert (issued.account, issued.label, second.startswith(issued.shown)) == ("ann", "for CI", True)
    assert store.find(first[:-1]) is None
    assert store.find("") is None
    await store.revoke("ann", first)
    again = TokenStore(database)
    await again.open()
    for each in (store, again):
        assert each.find(first) is None
        assert each.find(second) == issued
        assert each.list("ann") == [issued]
        assert each.list("bob") == []


async def test_limits_are_kept(store: TokenStore, database: Database) -> None:
    limits = TokenLimits(
        writes=False, patterns=("@acme/*",), networks=("192.0.2.0/24",), expires=time.time() + 60, bypasses_otp=True
    )
    text, _ = await store.issue("ann", "", limits)
    again = TokenStore(database)
    await again.open()
    found = again.find(text)
    assert found is not None
    assert found.limits == limits


async def test_expired_tokens_are_forgotten_at_the_next_start(store: TokenStore, database: Database) -> None:
    text, _ = await store.issue("ann", "", TokenLimits(expires=time.time() - 1))
    again = TokenStore(database)
    await again.open()
    assert again.find(text) is None
    assert await database.rows("SELECT * FROM tokens") == []


async def test_nobody_revokes_the_tokens_of_others(store: TokenStore) -> None:
    text, issued = await store.issue("ann")
    for name in (text, issued.key, "x"):
        with pytest.raises(NotFoundError):
            await store.revoke("bob", name)
    assert store.find(text) is not None
    await store.revoke("ann", issued.key)
    assert store.find(text) is None


async def test_an_account_has_a_limited_number_of_tokens(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    await store.issue("ann")
    await store.issue("ann")
    with pytest.raises(ConflictError, match="npm token revoke"):
        await store.issue("ann")
    await store.issue("bob")
