"""Opens the stores of a node."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from libreseed.config import Settings
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.keyring import Keyring
from libreseed.store.rootlock import RootLock
from libreseed.store.tables.accounts import AccountStore
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.documents import DocumentStore
from libreseed.store.tables.listings import ListingStore
from libreseed.store.tables.overlay import OverlayStore
from libreseed.store.tables.packuments import PackumentStore
from libreseed.store.tables.ports import PortStore
from libreseed.store.tables.prepared import PreparedStore
from libreseed.store.tables.publications import PublicationStore
from libreseed.store.tables.records import RecordStore
from libreseed.store.tables.second_factors import SecondFactorStore
from libreseed.store.tables.seeders import SeederStore
from libreseed.store.tables.stars import StarStore
from libreseed.store.tables.tokens import TokenStore
from libreseed.store.trustfile import TrustFile
from libreseed.trust.keys import PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The open stores of one root, its trust file, and the key that the node signs with."""

    key: PrivateKey
    trust: TrustFile
    blobs: BlobStore
    accounts: AccountStore
    catalogue: Catalogue
    documents: DocumentStore
    listings: ListingStore
    overlay: OverlayStore
    packuments: PackumentStore
    ports: PortStore
    prepared: PreparedStore
    publications: PublicationStore
    records: RecordStore
    second_factors: SecondFactorStore
    seeders: SeederStore
    stars: StarStore
    tokens: TokenStore


async def open_stores(settings: Settings, stack: AsyncExitStack) -> Stores:
    """Lock the root and open its stores, until the `stack` is closed. Raises StoreError, ConfigError."""
    stack.enter_context(RootLock(settings.state_dir))
    key = await asyncio.to_thread(Keyring(settings.keys_dir).default)
    database = await Database.open(settings.database_file)
    stack.push_async_callback(database.close)
    stores = Stores(
        key=key,
        trust=TrustFile(settings.trust_file),
        blobs=BlobStore(settings.swarm_dir),
        accounts=AccountStore(database),
        catalogue=Catalogue(database),
        documents=DocumentStore(database),
        listings=ListingStore(database),
        overlay=OverlayStore(database),
        packuments=PackumentStore(database),
        ports=PortStore(database),
        prepared=PreparedStore(database),
        publications=PublicationStore(database),
        records=RecordStore(database),
        second_factors=SecondFactorStore(database),
        seeders=SeederStore(database),
        stars=StarStore(database),
        tokens=TokenStore(database),
    )
    await stores.blobs.open()
    await stores.catalogue.open()
    await stores.publications.open()
    await stores.tokens.open()
    return stores
