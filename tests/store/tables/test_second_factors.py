from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.second_factors import SecondFactor, SecondFactorStore


async def test_second_factors(database: Database) -> None:
    await AccountStore(database).create("ann", "secret")
    store = SecondFactorStore(database)
    assert await store.find("ann") is None
    factor = SecondFactor(b"secret", "auth-only", pending=True)
    await store.save("ann", factor)
    assert await store.find("ann") == factor
    await store.confirm("ann", ["aa", "bb"])
    assert await store.find("ann") == SecondFactor(b"secret", "auth-only", pending=False)
    assert await store.use_recovery_code("ann", "AA")
    assert not await store.use_recovery_code("ann", "aa"), "each once"
    assert not await store.use_recovery_code("bob", "bb")
    await store.remove("ann")
    assert await store.find("ann") is None
    assert not await store.use_recovery_code("ann", "bb")
