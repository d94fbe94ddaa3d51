import pytest

from libreseed.errors import ConflictError, NotFoundError, UnauthorizedError
from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.tokens import TokenStore

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


async def test_profiles_and_new_passwords(database: Database) -> None:
    store = AccountStore(database)
    assert await store.is_empty()
    await store.create("ann", PASSWORD)
    assert not await store.is_empty()
    assert (await store.find("ann")).profile == {}
    await store.set_profile("ann", {"email": "ann@example.test"})
    await store.set_password("ann", "another")
    found = await store.find("ann")
    assert (found.name, found.profile) == ("ann", {"email": "ann@example.test"})
    await store.check_password("ann", "another")
    with pytest.raises(UnauthorizedError):
        await store.check_password("ann", PASSWORD)
    with pytest.raises(NotFoundError):
        await store.find("bob")


async def test_no_secret_is_on_disk(database: Database) -> None:
    store = AccountStore(database)
    await store.create("ann", PASSWORD)
    token, _ = await TokenStore(database).issue("ann")
    await database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    disk = b"".join(file.read_bytes() for file in database.path.parent.iterdir())
    assert b"ann" in disk
    assert b"$argon2id$" in disk
    for secret in (token, token.removeprefix("ls_"), PASSWORD):
        assert secret.encode() not in disk
