"""Announcing the blobs that we hold: thousands of keys, a few lookups."""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile

from libreseed.concurrency.tasks import each
from libreseed.network.overlay.claims import HeldBlob
from libreseed.network.overlay.lookup import Lookup
from libreseed.network.overlay.messages import BLOBS_PER_DATAGRAM, Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.routing import Peer, distance

log = logging.getLogger(__name__)

REANNOUNCE = 1800.0
"""Seconds after which a blob is announced again: half the lifetime of a claim."""
_RETRY = 60.0
_UNDER_WAY = 32


class Announcer:
    """Keeps `blobs` (by target) announced. The sender's address is the claim; nothing is signed."""

    def __init__(self, neighbours: Neighbours, blobs: dict[bytes, HeldBlob], *, k: int, alpha: int) -> None:
        self._neighbours = neighbours
        self._blobs = blobs
        self._k = k
        self._alpha = alpha
        self._due: dict[bytes, float] = dict.fromkeys(blobs, 0.0)
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()

    async def add(self, blobs: Iterable[HeldBlob]) -> int:
        """Hold blobs and announce those that are new; return how many some other node knows now."""
        targets = self.hold(blobs)
        await self._announce_due()
        return sum(self._due.get(target, 0.0) > 0 for target in targets)

    def hold(self, blobs: Iterable[HeldBlob]) -> list[bytes]:
        """Tell of these blobs who asks for them; they are announced with the next ones. Return their targets."""
        targets = []
        for blob in blobs:
            target = blob.target
            targets.append(target)
            if self._blobs.get(target) != blob:
                self._blobs[target] = blob
                self._due[target] = 0.0
        return targets

    def remove(self, target: bytes) -> None:
        """Stop announcing a blob; what others know of it expires within the hour."""
        self._blobs.pop(target, None)
        self._due.pop(target, None)

    def wake(self) -> None:
        """Announce what is due, now that there is somebody to tell."""
        self._wake.set()

    async def keep_announced(self) -> None:
        """Announce again what is due. Runs until cancelled."""
        while True:
            delay = max(min(self._due.values(), default=0.0) - time.monotonic(), _RETRY)
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._announce_due()

    async def _announce_due(self) -> None:
        if not self._neighbours.own.p2p_port:
            return
        async with self._turn:
            now = time.monotonic()
            pending = sorted(target for target, due in self._due.items() if due <= now)
            while pending:
                lookup = await Lookup(self._neighbours, pending[0], Want.NODES, size=self._k, alpha=self._alpha).run()
                if not lookup.answered:
                    return
                region = _region(pending, [peer for peer, _ in lookup.closest], self._k)
                await self._send(region, [(peer, found.token) for peer, found in lookup.answered])
                pending = pending[len(region) :]

    async def _send(self, targets: Sequence[bytes], peers: Sequence[tuple[Peer, bytes]]) -> None:
        parcels: dict[int, list[bytes]] = defaultdict(list)
        for number, target in enumerate(targets):
            if number % 500 == 499:
                await asyncio.sleep(0)
            for index in _closest(target, peers, self._k):
                parcels[index].append(target)

        async def send(parcel: tuple[int, list[bytes]]) -> None:
            index, chunk = parcel
            peer, token = peers[index]
            known = [(target, self._blobs[target]) for target in chunk if target in self._blobs]
            packed = b"".join(target + blob.pack_reference() for target, blob in known)
            accepted = await self._neighbours.announce(peer, token, packed)
            due = time.monotonic() + REANNOUNCE * random.uniform(0.9, 1.0)  # noqa: S311
            for target, _ in known[:accepted]:
                if target in self._due:
                    self._due[target] = due

        chunks = (
            (index, parcel[at : at + BLOBS_PER_DATAGRAM])
            for index, parcel in parcels.items()
            for at in range(0, len(parcel), BLOBS_PER_DATAGRAM)
        )
        await each(send, chunks, _UNDER_WAY)


def _region(targets: Sequence[bytes], closest: Sequence[Peer], k: int) -> list[bytes]:
    """Return the leading run of sorted targets that the peers found closest to the first one are to hold.

    With fewer than k peers that is the whole network, and every target. Else it is the targets that share as
    many bits with the first as all its k closest peers do: nobody without those bits is nearer to them.
    """
    if len(closest) < k:
        return list(targets)
    radius = max(distance(targets[0], peer.id) for peer in closest).bit_length()
    prefix = int.from_bytes(targets[0], "big") >> radius
    return list(takewhile(lambda target: int.from_bytes(target, "big") >> radius == prefix, targets))


def _closest(target: bytes, peers: Sequence[tuple[Peer, bytes]], k: int) -> Iterable[int]:
    if len(peers) <= k:
        return range(len(peers))
    key = int.from_bytes(target, "big")
    return sorted(range(len(peers)), key=lambda index: peers[index][0].long_id ^ key)[:k]
