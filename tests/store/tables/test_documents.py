from libreseed.store.database import Database
from libreseed.store.tables.documents import DocumentStore, StoredDocument


async def test_the_last_one_is_kept(database: Database) -> None:
    store = DocumentStore(database)
    assert await store.find("-/keys") is None
    for document in (StoredDocument(b"{}", 1.5), StoredDocument(b'{"keys":[]}', 2.5)):
        await store.save("-/keys", document)
        assert await DocumentStore(database).find("-/keys") == document
    assert await store.find("-/other") is None
