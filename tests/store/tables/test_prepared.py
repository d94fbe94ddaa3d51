from dataclasses import replace

from libreseed.store.database import Database
from libreseed.store.tables.prepared import PreparedForm, PreparedStore

FORM = PreparedForm("pkg", True, "http://localhost:4880", b"1", 'W/"tag"', "yesterday", b"zstd", None)


async def test_only_the_very_form_is_found(database: Database) -> None:
    store = PreparedStore(database)
    await store.save(FORM)
    assert await store.find("pkg", True, FORM.base_url, b"1") == FORM
    for key in (
        ("other", True, FORM.base_url, b"1"),
        ("pkg", False, FORM.base_url, b"1"),
        ("pkg", True, "http://proxy.test", b"1"),
        ("pkg", True, FORM.base_url, b"2"),
    ):
        assert await store.find(*key) is None


async def test_each_kind_is_kept_once(database: Database) -> None:
    """Else whoever asks by ever new host names would fill the disk."""
    store = PreparedStore(database)
    other = replace(FORM, base_url="http://proxy.test", gzip=b"gzip")
    for form in (FORM, replace(FORM, short=False), other):
        await store.save(form)
    assert await store.find("pkg", True, FORM.base_url, b"1") is None
    assert await store.find("pkg", True, other.base_url, b"1") == other
    assert await database.rows("SELECT count(*) FROM prepared") == [(2,)]
