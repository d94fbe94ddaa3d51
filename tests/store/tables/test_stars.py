from libreseed.store.database import Database
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.stars import StarStore


async def test_stars(database: Database) -> None:
    accounts = AccountStore(database)
    for name in ("ann", "bob"):
        await accounts.create(name, "correct horse")
    stars = StarStore(database)
    for name in ("b", "@s/a", "b"):
        await stars.add("ann", name)
    await stars.add("bob", "b")
    assert (await stars.list("ann"), await stars.list("bob"), await stars.list("carl")) == (["@s/a", "b"], ["b"], [])
    await stars.remove("ann", "b")
    await stars.remove("ann", "c")
    assert (await stars.list("ann"), await stars.list("bob")) == (["@s/a"], ["b"])
