"""Large packuments as they are sent, kept over a restart: making them anew takes up to a second."""

from dataclasses import dataclass

from libreseed.store.database import Database


@dataclass(frozen=True, slots=True)
class PreparedForm:
    """A packument's form whose tarballs are below `base_url`, made of the packument with this `revision`.

    `short`: the abbreviated one. `modified`: an HTTP date or "". `gzip`: None until somebody asked for it.
    """

    name: str
    short: bool
    base_url: str
    revision: bytes
    etag: str
    modified: str
    zstd: bytes
    gzip: bytes | None = None


class PreparedStore:
    """The table `prepared`: one form of each kind a package, for the `base_url` used last. Methods may raise
    StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str, short: bool, base_url: str, revision: bytes) -> PreparedForm | None:
        """Return this very form, or None."""
        row = await self._database.row(
            "SELECT etag, modified, zstd, gzip FROM prepared"
            " WHERE name = ? AND short = ? AND base_url = ? AND revision = ?",
            name,
            short,
            base_url,
            revision,
        )
        return PreparedForm(name, short, base_url, revision, *row) if row else None

    async def save(self, form: PreparedForm) -> None:
        """Keep a form in place of an earlier one."""
        await self._database.execute(
            "INSERT OR REPLACE INTO prepared VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            form.name,
            form.short,
            form.base_url,
            form.revision,
            form.etag,
            form.modified,
            form.zstd,
            form.gzip,
        )
