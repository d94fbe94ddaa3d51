"""The ports that a node used last, so that others can reach it on the same ones after a restart."""

from libreseed.store.database import Database


class PortStore:
    """Port numbers by their use, such as "overlay". Methods may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, use: str) -> int:
        """Return the last port of a use, 0 when there is none."""
        row = await self._database.row("SELECT value FROM state WHERE key = ?", f"port:{use}")
        return int(row[0]) if row else 0

    async def save(self, use: str, port: int) -> None:
        """Save the port of a use."""
        await self._database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", f"port:{use}", str(port).encode())
