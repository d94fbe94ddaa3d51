"""What fetching from the swarm needs of the node, and whom it asks."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from libreseed.errors import IntegrityError, LibreseedError
from libreseed.network.overlay.introductions import Introduction
from libreseed.network.overlay.overlay import Overlay
from libreseed.store.blobs import BlobStore, check_file
from libreseed.swarm.offers import Offers
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.reserve import Need
from libreseed.swarm.seeding import Incoming, Seeding
from libreseed.swarm.session import Session
from libreseed.swarm.transfer import Transfer
from libreseed.trust.records import BlobRef, Endpoint


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

    def ask(self, transfer: Transfer, holder: Endpoint, met: Introduction) -> None:
        """Let a transfer, before it begins, ask a holder and those to whom it has introduced us: only the latter as
        long as they deliver, when enough others ask the holder (see `swarm.shares`)."""
        transfer.tell_of_bans(self.reputation.note_failed)
        others = self.meet(transfer, met)
        if others and met.number >= transfer.direct:
            transfer.hold_in_reserve(holder, lambda need: self._note(need, others))
        else:
            transfer.add_peers([holder])

    def meet(self, transfer: Transfer, met: Introduction) -> tuple[Endpoint, ...]:
        """Let a transfer ask those who fetch the same too, and could be reached as far as is known; return them."""
        others = self.reputation.reachable(self.overlay.awake(met.peers))
        transfer.introduce(others, met.number, met.count)
        return others

    async def store(self, transfer: Transfer, files: Sequence[Incoming]) -> list[BlobRef | LibreseedError]:
        """Check and store what a transfer has brought; for each its blob, or why not (see `Seeding.add_files`). What is
        wrong is read again after another flush, for the first may have been an earlier one: nobody is blamed for bytes
        that were not on the disk yet."""
        outcomes = await self.seeding.add_files(files, keep=True)
        if any(isinstance(outcome, IntegrityError) for outcome in outcomes):
            await transfer.flush()
            outcomes = await self.seeding.add_files(files, keep=True)
        return outcomes

    async def are_right(self, transfer: Transfer, files: Mapping[bytes, Path]) -> bool:
        """Tell whether files that a transfer has brought have their SHA-512; what is wrong is read again as by `store`.
        Raises StoreError."""
        if await asyncio.to_thread(_are_right, files):
            return True
        await transfer.flush()
        return await asyncio.to_thread(_are_right, files)

    def _note(self, need: Need, others: tuple[Endpoint, ...]) -> None:
        if need is Need.UNREACHED:
            self.reputation.note_unreached(others)


def _are_right(files: Mapping[bytes, Path]) -> bool:
    try:
        for digest, file in files.items():
            check_file(file, digest)
    except IntegrityError:
        return False
    return True
