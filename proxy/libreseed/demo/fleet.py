"""A fleet: several new nodes that fetch the same from one at a time."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from libreseed.demo import nodes
from libreseed.errors import UnavailableError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.node.node import Node
from libreseed.packages.integrity import format_integrity

SIZE = 4
_AT_ONCE = 15
"""Tarballs that a host asks for at a time, as npm does."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a fleet fetched: `needed` bytes are what each host wants, `sent` those that left the node which had it."""

    hosts: int = 0
    tarballs: int = 0
    needed: int = 0
    sent: int = 0
    seconds: float = 0.0

    @property
    def copies(self) -> float:
        """How many times the node that had it has sent it."""
        return self.sent / self.needed if self.needed else 0.0


async def share(holder: Node, folder: Path, packages: Sequence[LockedPackage]) -> Shared:
    """Let new nodes below `folder`, which know nobody but the holder, fetch all of these tarballs at once.

    Raises UnavailableError when one of them gets a tarball from elsewhere than the swarm.
    """
    async with AsyncExitStack() as stack:
        hosts = [await nodes.start(stack, folder / f"host{number}", "none", holder) for number in range(SIZE)]
        for node in hosts:
            await nodes.wait_for_peers(node, SIZE)
        before, _ = await holder.networks.session.traffic()
        began = time.monotonic()
        needed = await asyncio.gather(*(_fetch(node, packages) for node in hosts))
        seconds = time.monotonic() - began
        sent, _ = await holder.networks.session.traffic()
        for node in hosts:
            served = {source: number for source, number in node.status()["served"].items() if number}
            if served != {"swarm": len(packages)}:
                raise UnavailableError(f"A host of the fleet should have had all from the swarm, but: {served}.")
        return Shared(len(hosts), len(packages), needed[0], sent - before, seconds)


async def _fetch(node: Node, packages: Sequence[LockedPackage]) -> int:
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def fetch(package: LockedPackage) -> int:
        async with at_once:
            integrity = format_integrity(package.digest or b"")
            return len(await nodes.tarball(node, package.name, package.version, integrity))

    return sum(await asyncio.gather(*map(fetch, packages)))
