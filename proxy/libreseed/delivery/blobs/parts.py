"""What fetching from the swarm needs of the node."""

from dataclasses import dataclass

from libreseed.network.overlay.overlay import Overlay
from libreseed.store.blobs import BlobStore
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.seeding import Seeding
from libreseed.swarm.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmParts:
    """The overlay says who holds a blob, the session fetches it, `seeding` checks, stores and seeds it in `blobs`;
    `offers` are bundles that go on for others, and `reputation` is what was measured of them."""

    overlay: Overlay
    session: Session
    blobs: BlobStore
    seeding: Seeding
    offers: Offers
    reputation: Reputation
