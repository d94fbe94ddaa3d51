import pytest

from libreseed.errors import ConflictError, UnauthorizedError
from libreseed.store.accounts import AccountStore
from libreseed.store.database import Database

PASSWORD = "correct horse battery"


async def test_accounts(database: Database) -> None:
    store = AccountStore(database)
    assert not await store.exists("ann")
    await store.create("ann", PASSWORD)
    assert await store.exists("ann")
    await store.check_password("ann", PASSWORD)
    for name, password in (("ann", "wrong"), ("ann", ""), ("bob", PASSWORD)):
        with pytest.raises(UnauthorizedError):
            await store.check_password(name, password)


async def test_an_account_is_not_taken_over(database: Database) -> None:
    store = AccountStore(database)
    await store.create("ann", PASSWORD)
    with pytest.raises(ConflictError):
        await store.create("ann", "other")
    await store.check_password("ann", PASSWORD)


async def test_tokens(database: Database) -> None:
    store = AccountStore(database)
    await store.create("ann", PASSWORD)
    first, second = await store.issue_token("ann"), await store.issue_token("ann")
    assert first != second
    assert store.account_of(first) == "ann"
    assert store.account_of(first[:-1]) is None
    assert store.account_of("") is None
    await store.revoke_token(first)
    again = AccountStore(database)
    await again.open()
    for each in (store, again):
        assert each.account_of(first) is None
        assert each.account_of(second) == "ann"


async def test_no_secret_is_on_disk(database: Database) -> None:
    store = AccountStore(database)
    await store.create("ann", PASSWORD)
    token = await store.issue_token("ann")
    await database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    disk = b"".join(file.read_bytes() for file in database.path.parent.iterdir())
    assert b"ann" in disk
    assert b"$argon2id$" in disk
    for secret in (token, token.removeprefix("ls_"), PASSWORD):
        assert secret.encode() not in disk
