"""What this node holds, and the access rules keep from others: it is served to who may read it, and not seeded."""

from libreseed.packages.access import AccessRules
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.records import RecordStore
from libreseed.trust.records import read_record


async def find_withheld(rules: AccessRules, catalogue: Catalogue, records: RecordStore) -> set[bytes]:
    """Return the SHA-512 of the tarballs and snapshots of restricted packages, if no public one has the same.

    They may have been shared before the rule was made. Raises StoreError.
    """
    withheld = catalogue.only_of(lambda name: not rules.is_public(name))
    withheld |= {record.snapshot for record in await records.list_signed() if not rules.is_public(record.name)}
    for name, item in await records.list_seen():
        if not rules.is_public(name):
            withheld.add(read_record(item, name, item.seq / 1000).snapshot.sha512)
    return withheld
