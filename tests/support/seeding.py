"""What seeds in tests without a whole node."""

from collections.abc import Iterable

from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.parts import SwarmParts
from libreseed.network.overlay.overlay import Overlay
from libreseed.store.blobs import BlobStore
from libreseed.store.tables.catalogue import Catalogue
from libreseed.swarm.bundler import Bundler
from libreseed.swarm.held import HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.seeding import Announcer, Seeding
from libreseed.swarm.session import Session
from libreseed.trust.records import BlobRef


class Told:
    """Notes what it is told of, and announces nothing."""

    def __init__(self) -> None:
        self.refs: list[BlobRef] = []

    def add(self, refs: Iterable[BlobRef]) -> None:
        self.refs.extend(refs)

    def withdraw(self, digest: bytes) -> None:
        self.refs = [ref for ref in self.refs if ref.sha512 != digest]


def make_fetcher(
    overlay: Overlay,
    session: Session,
    blobs: BlobStore,
    catalogue: Catalogue,
    held: HeldBlobs | None = None,
    reputation: Reputation | None = None,
) -> SwarmFetcher:
    """Compose what fetches blobs and seeds them."""
    held = HeldBlobs() if held is None else held
    offers = Offers(session)
    seeding = Seeding(blobs, catalogue=catalogue, session=session, held=held, offers=offers, announcer=Told())
    return SwarmFetcher(
        SwarmParts(
            overlay=overlay,
            session=session,
            blobs=blobs,
            seeding=seeding,
            offers=offers,
            reputation=reputation or Reputation(),
        )
    )


def make_seeding(
    blobs: BlobStore, catalogue: Catalogue, session: Session, announcer: Announcer | None = None
) -> tuple[Seeding, Bundler, Offers]:
    """Compose what seeds, and what makes bundles of that."""
    held = HeldBlobs()
    offers = Offers(session)
    seeding = Seeding(
        blobs, catalogue=catalogue, session=session, held=held, offers=offers, announcer=announcer or Told()
    )
    return seeding, Bundler(offers, blobs, held), offers
