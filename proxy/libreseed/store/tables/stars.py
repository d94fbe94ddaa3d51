"""Stars: the packages that each account has marked as its favourites, on this node only."""

from libreseed.store.database import Database


class StarStore:
    """The table `stars`. Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, account: str, name: str) -> None:
        """Star a package."""
        await self._database.execute("INSERT OR IGNORE INTO stars VALUES (?, ?)", account, name)

    async def remove(self, account: str, name: str) -> None:
        """Remove the star, if there is one."""
        await self._database.execute("DELETE FROM stars WHERE account = ? AND name = ?", account, name)

    async def list(self, account: str) -> list[str]:
        """Return the names of the packages that an account has starred, sorted."""
        rows = await self._database.rows("SELECT name FROM stars WHERE account = ? ORDER BY name", account)
        return [name for (name,) in rows]
