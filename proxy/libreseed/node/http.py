"""Composes the endpoints of a node's registry."""

from collections.abc import Callable, Sequence
from typing import Any

from libreseed.accounts.attempts import Attempts
from libreseed.accounts.login import Login
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.accounts.weblogin import WebLogins
from libreseed.delivery.sources import SourceCounter
from libreseed.node.delivery import Delivery
from libreseed.node.publishing import Publishing
from libreseed.node.stores import Stores
from libreseed.packages.access import AccessRules
from libreseed.registry.accounts.accounts import AccountEndpoints
from libreseed.registry.accounts.profile import ProfileEndpoints
from libreseed.registry.accounts.stars import StarEndpoints
from libreseed.registry.accounts.tokens import TokenEndpoints
from libreseed.registry.accounts.weblogin import WebLoginEndpoints
from libreseed.registry.app import Endpoints
from libreseed.registry.http.identity import Identity
from libreseed.registry.http.permissions import Permissions
from libreseed.registry.packages.access import AccessEndpoints
from libreseed.registry.packages.advisories import AdvisoryEndpoints
from libreseed.registry.packages.info import InfoEndpoint
from libreseed.registry.packages.packuments import PackumentEndpoints
from libreseed.registry.packages.prefetch import PrefetchEndpoint
from libreseed.registry.packages.provenance import ProvenanceEndpoints
from libreseed.registry.packages.reads import ReadEndpoints
from libreseed.registry.packages.search import SearchEndpoint
from libreseed.registry.packages.tarballs import TarballEndpoint
from libreseed.registry.packages.writing import WritingEndpoints
from libreseed.registry.status import StatusEndpoints


def make_endpoints(
    stores: Stores,
    *,
    publishing: Publishing,
    delivery: Delivery,
    access: AccessRules,
    counter: SourceCounter,
    status: Callable[[], dict[str, Any]],
) -> Sequence[Endpoints]:
    """Compose all endpoints. `counter` counts responses by source; `status` returns the node's status as JSON."""
    factors = SecondFactors(stores.second_factors, Attempts())
    login = Login(stores.accounts, factors)
    identity = Identity(stores.tokens, factors)
    permissions = Permissions(access, identity, factors)
    metadata, tarballs, releases = delivery.metadata, delivery.tarballs, publishing.releases
    packuments = PackumentEndpoints(
        metadata.packuments,
        prepared=stores.prepared,
        signatures=metadata.signatures,
        counter=counter,
        permissions=permissions,
    )
    stars = StarEndpoints(stores.stars, metadata.packuments, identity, permissions)
    return [
        StatusEndpoints(status),
        InfoEndpoint(metadata.info, permissions),
        PrefetchEndpoint(tarballs, counter=counter, store=stores.blobs.folder, permissions=permissions),
        AccountEndpoints(stores.accounts, tokens=stores.tokens, login=login, identity=identity),
        WebLoginEndpoints(WebLogins(), login=login, accounts=stores.accounts, tokens=stores.tokens),
        ProfileEndpoints(stores.accounts, login=login, factors=factors, identity=identity),
        TokenEndpoints(stores.tokens, login, identity),
        AccessEndpoints(
            access,
            packuments=metadata.packuments,
            releases=releases,
            permissions=permissions,
            identity=identity,
        ),
        stars,
        packuments,
        AdvisoryEndpoints(metadata.advisories),
        SearchEndpoint(metadata.search, permissions),
        ProvenanceEndpoints(metadata.provenance, permissions),
        WritingEndpoints(
            releases,
            blobs=stores.blobs,
            accounts=stores.accounts,
            stars=stars,
            identity=identity,
            permissions=permissions,
        ),
        ReadEndpoints(packuments, TarballEndpoint(tarballs, counter), permissions),
    ]
