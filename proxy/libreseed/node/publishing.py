"""Composes what publishes and mirrors packages."""

from dataclasses import dataclass

from libreseed.config import Settings
from libreseed.network.addresses import is_wildcard
from libreseed.node.networks import Networks
from libreseed.node.stores import Stores
from libreseed.packages.access import AccessRules
from libreseed.publishing.mirroring import Mirroring
from libreseed.publishing.naming import NameClaims
from libreseed.publishing.releases import Releases
from libreseed.publishing.signing import RecordSigner
from libreseed.trust.records import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """The parts that sign records. The caller has to run `signer` and `mirroring`."""

    signer: RecordSigner
    mirroring: Mirroring
    releases: Releases


def make_publishing(settings: Settings, stores: Stores, networks: Networks, access: AccessRules) -> Publishing:
    """Compose the parts that sign records."""

    def seeders() -> tuple[Endpoint, ...]:
        # This node's own address, when it is known. Without it, others find this node by its claims.
        return () if is_wildcard(settings.p2p_host) else ((settings.p2p_host, networks.session.port),)

    signer = RecordSigner(
        stores.key,
        store=stores.records,
        seeding=networks.seeding,
        overlay=networks.overlay,
        seeders=seeders,
        packuments=stores.packuments,
        access=access,
    )
    claims = NameClaims(
        stores.key.public, publications=stores.publications, trust=stores.trust, upstream=networks.upstream
    )
    releases = Releases(
        claims,
        publications=stores.publications,
        documents=stores.documents,
        seeding=networks.seeding,
        signer=signer,
        access=access,
    )
    return Publishing(signer=signer, mirroring=Mirroring(signer), releases=releases)
