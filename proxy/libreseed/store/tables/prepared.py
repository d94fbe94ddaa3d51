"""Large packuments, serialised and compressed for sending, which takes up to a second: kept over restarts."""

from dataclasses import dataclass

from libreseed.store.database import Database


@dataclass(frozen=True, slots=True)
class PreparedForm:
    """A form of the packument with this `revision`, whose tarball URLs are below `base_url`.

    `short`: the abbreviated form. `modified`: `time.modified` as an HTTP date, or "". `zstd` and `gzip`: the JSON in
    these codings, the latter None until a client asked for it.
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
    """The table `prepared`: for each package one full and one abbreviated form, of the `base_url` used last. Methods
    may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str, short: bool, base_url: str, revision: bytes) -> PreparedForm | None:
        """Return the form with exactly these properties, or None."""
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
        """Save a form in place of an earlier one of that name and kind."""
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
