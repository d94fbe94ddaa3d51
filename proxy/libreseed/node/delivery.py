"""Composes what serves metadata and tarballs."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from libreseed import __version__
from libreseed.config import Settings
from libreseed.delivery.metadata.advisories import Advisories
from libreseed.delivery.metadata.bundled import BundledPackage
from libreseed.delivery.metadata.info import PackageInfo
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import Freshness, PackumentDelivery
from libreseed.delivery.metadata.policing import Policing
from libreseed.delivery.metadata.provenance import Provenance
from libreseed.delivery.metadata.records import RecordReader
from libreseed.delivery.metadata.refreshing import PackumentSources
from libreseed.delivery.metadata.search import Search
from libreseed.delivery.metadata.signatures import Signatures
from libreseed.delivery.tarballs.delivery import TarballDelivery
from libreseed.delivery.tarballs.expected import ExpectedTarballs
from libreseed.delivery.tarballs.policy import TarballPolicy
from libreseed.delivery.tarballs.race import TarballRace
from libreseed.delivery.tarballs.stored import StoredTarballs
from libreseed.delivery.tarballs.upstream import UpstreamFetcher
from libreseed.node.networks import Networks
from libreseed.node.publishing import Publishing
from libreseed.node.stores import Stores
from libreseed.packages.access import AccessRules
from libreseed.packages.policy import Policy
from libreseed.store.tables.packuments import StoredPackument


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The parts that serve metadata."""

    ownership: Ownership
    packuments: PackumentDelivery
    provenance: Provenance
    signatures: Signatures
    policing: Policing
    search: Search
    advisories: Advisories
    info: PackageInfo
    bundled: BundledPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The parts that serve clients."""

    metadata: Metadata
    tarballs: TarballDelivery

    def close_with(self, stack: AsyncExitStack) -> None:
        """Let the `stack` cancel what clients wait for: they get an error."""
        stack.push_async_callback(self.metadata.packuments.close)
        stack.push_async_callback(self.metadata.provenance.close)
        stack.push_async_callback(self.metadata.search.close)
        stack.push_async_callback(self.tarballs.close)
        stack.push_async_callback(self.metadata.policing.close)


async def make_metadata(
    settings: Settings,
    stores: Stores,
    networks: Networks,
    *,
    publishing: Publishing,
    policy: Policy,
    access: AccessRules,
) -> Metadata:
    """Compose the parts that serve metadata. Raises StoreError."""
    policing, upstream = Policing(policy), networks.upstream
    bundled = await asyncio.to_thread(BundledPackage, __version__)
    ownership = Ownership(stores.publications, trust=stores.trust, upstream=upstream, access=access)
    sources = PackumentSources(
        stores.packuments,
        records=RecordReader(networks.overlay, stores.records, networks.fetcher, networks.seeding),
        upstream=upstream,
        ownership=ownership,
        mirrors_needed=settings.mirrors_needed,
        on_upstream=publishing.mirroring.add if settings.share else _ignore,
    )
    packuments = PackumentDelivery(
        stores.publications,
        store=stores.packuments,
        sources=sources,
        ownership=ownership,
        policing=policing,
        bundled=bundled,
        freshness=Freshness(upstream=settings.max_age),
    )
    provenance = Provenance(
        packuments, ownership=ownership, store=stores.documents, trust=stores.trust, upstream=upstream
    )
    signatures = Signatures(ownership, provenance, stores.trust)
    return Metadata(
        ownership=ownership,
        packuments=packuments,
        provenance=provenance,
        signatures=signatures,
        policing=policing,
        search=Search(packuments, ownership=ownership, listings=stores.listings, upstream=upstream, policing=policing),
        advisories=Advisories(ownership, upstream),
        info=PackageInfo(packuments, ownership=ownership, signatures=signatures, catalogue=stores.catalogue),
        bundled=bundled,
    )


def make_tarballs(settings: Settings, stores: Stores, networks: Networks, metadata: Metadata) -> TarballDelivery:
    """Compose the parts that serve tarballs."""
    ownership, seeding, upstream = metadata.ownership, networks.seeding, networks.upstream
    expected = ExpectedTarballs(metadata.packuments, ownership, metadata.signatures)
    from_upstream = UpstreamFetcher(upstream, ownership, stores.blobs, seeding, share=settings.share)
    return TarballDelivery(
        policy=TarballPolicy(metadata.packuments, ownership, metadata.policing),
        bundled=metadata.bundled,
        expected=expected,
        stored=StoredTarballs(stores.catalogue, seeding, ownership),
        race=TarballRace(networks.fetcher, from_upstream, ownership, hedge=settings.hedge),
        seeding=seeding,
    )


def _ignore(_: StoredPackument) -> None:
    """Mirror no packument of the upstream."""
