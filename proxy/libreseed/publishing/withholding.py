"""Finds blobs of restricted packages, which are served to those who may read them, but not seeded."""

from libreseed.packages.access import AccessRules
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.records import RecordStore
from libreseed.trust.records import read_record


async def find_withheld(rules: AccessRules, catalogue: Catalogue, records: RecordStore) -> set[bytes]:
    """Return the SHA-512 of the tarballs and snapshots that belong to restricted packages only.

    These may have been seeded before the access rule was made. Raises StoreError.
    """
    withheld = catalogue.only_of(lambda name: not rules.is_public(name))
    withheld |= {record.snapshot for record in await records.list_signed() if not rules.is_public(record.name)}
    for name, item in await records.list_seen():
        if not rules.is_public(name):
            withheld.add(read_record(item, name, item.seq / 1000).snapshot.sha512)
    return withheld
