"""What is asked of the swarm: one blob."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.store.tables.catalogue import TarballName
from libreseed.trust.records import BlobRef, Endpoint


@dataclass(slots=True)
class BlobRequest:
    """A blob to fetch.

    `checked` is its torrent from a checked record, with the publisher's own `seeders`: then pieces may be passed on
    before the whole is there, into the stream that `stream(spool file)` makes. Without it only claims are known, and
    nothing is believed before the SHA-512 is right. It is named `tarball` when it has come. `shared`: it may be seeded
    on. `name` is for messages.
    """

    digest: bytes
    checked: BlobRef | None = None
    seeders: tuple[Endpoint, ...] = ()
    tarball: TarballName | None = None
    name: str = ""
    stream: Callable[[Path], SpooledStream] | None = None
    shared: bool = True
    started: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a first piece was verified."""
    received: Callable[[], int] = lambda: 0
    """Returns how many bytes have come, as long as it is fetched by its own torrent."""

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.name or f"sha512-{self.digest.hex()[:16]}…"
