"""What this node holds and seeds: each blob gets its torrent, its row in the catalogue, its place in the session."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from libreseed.errors import StoreError
from libreseed.store.blobs import BlobStore
from libreseed.store.catalogue import BlobEntry, Catalogue
from libreseed.swarm.session import Session
from libreseed.swarm.torrents import Torrent, make_torrent
from libreseed.trust.records import BlobRef

log = logging.getLogger(__name__)

Tarball = tuple[str, str]
"""Package name and file name."""


class Seeding:
    """The blobs of this node. `on_shared` is called with each blob that others may now fetch from us, `on_dropped`
    with the SHA-512 of each that they no longer may."""

    def __init__(self, blobs: BlobStore, catalogue: Catalogue, session: Session) -> None:
        self.on_shared: Callable[[Iterable[BlobRef]], None] = lambda _: None
        self.on_dropped: Callable[[bytes], Awaitable[None]] = _nothing
        self._blobs = blobs
        self._catalogue = catalogue
        self._session = session
        self._held: dict[bytes, tuple[BlobRef, bool]] = {}

    async def open(self, withheld: Collection[bytes] = frozenset()) -> None:
        """Seed again what was held before, but for `withheld`, by SHA-512; forget what has gone from the disk.

        Raises StoreError.
        """
        entries = await self._catalogue.entries()
        missing = await asyncio.to_thread(lambda: [entry for entry in entries if not self._blobs.has(entry.ref.sha512)])
        for entry in missing:
            log.warning("Blob %s… is gone from the disk; forgotten.", entry.ref.sha512.hex()[:16])
            await self._catalogue.remove(entry.ref.sha512)
        gone = {entry.ref.sha512 for entry in missing}
        for number, entry in enumerate(entries):
            if entry.ref.sha512 not in gone:
                self._hold(replace(entry, shared=entry.shared and entry.ref.sha512 not in withheld))
            if number % 100 == 99:
                await asyncio.sleep(0)
        self.on_shared([ref for ref, shared in self._held.values() if shared])

    def find(self, digest: bytes) -> BlobRef | None:
        """Return the blob with this SHA-512 if it is held, from memory."""
        held = self._held.get(digest)
        return held[0] if held else None

    def shared(self, digest: bytes) -> BlobRef | None:
        """Return the blob with this SHA-512 if it is held and others may have it."""
        held = self._held.get(digest)
        return held[0] if held and held[1] else None

    async def check(self, digest: bytes) -> bool:
        """Tell whether a held blob is still what was stored. If not, it is forgotten, to be fetched again."""
        held = self._held.get(digest)
        if held is None:
            return False
        intact = await self._blobs.is_intact(digest, held[0].length)
        if not intact and self._held.get(digest) is held:  # nobody was quicker, and has it whole again
            log.warning("Blob %s… was damaged on the disk; forgotten.", digest.hex()[:16])
            await self.drop(digest)
        return intact

    def cached(self, digest: bytes) -> bytes | None:
        """Return the bytes of a held blob, intact, if they are at hand without waiting for the disk."""
        held = self._held.get(digest)
        return self._blobs.cached(digest, held[0].length) if held is not None else None

    def path(self, digest: bytes) -> Path:
        """Return the file of a held blob."""
        return self._blobs.path(digest)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(ref.length for ref, _ in self._held.values())

    async def add_bytes(self, data: bytes, digest: bytes, *, shared: bool, tarball: Tarball | None = None) -> BlobRef:
        """Store bytes, hash their torrent and seed it. Raises IntegrityError, StoreError, SwarmError."""
        torrent = None
        if digest not in self._held:
            torrent = await asyncio.to_thread(lambda: make_torrent(self._blobs.add(data, digest), digest))
        return await self._add(digest, shared, tarball, torrent)

    async def add_file(self, file: Path, digest: bytes, *, shared: bool, tarball: Tarball | None = None) -> BlobRef:
        """Check and store a file from an incoming folder, then as `add_bytes`."""
        torrent = None
        if digest not in self._held:
            torrent = await asyncio.to_thread(lambda: make_torrent(self._blobs.adopt(file, digest), digest))
        return await self._add(digest, shared, tarball, torrent)

    async def share(self, digest: bytes) -> None:
        """Seed a held blob from now on. Raises StoreError, SwarmError."""
        if digest in self._held:
            await self._add(digest, True, None)

    async def drop(self, digest: bytes) -> None:
        """Forget and delete a blob, such as one found damaged."""
        held = self._held.pop(digest, None)
        if held is not None:
            self._session.unseed(held[0])
            await self.on_dropped(digest)
        await self._catalogue.remove(digest)
        await asyncio.to_thread(self._blobs.remove, digest)

    async def _add(
        self, digest: bytes, shared: bool, tarball: Tarball | None, torrent: Torrent | None = None
    ) -> BlobRef:
        held = self._held.get(digest)
        if held is not None and held[1] >= shared:
            if tarball is not None and self._catalogue.tarball(*tarball) != digest:
                await self._catalogue.name_tarball(*tarball, digest)
            return held[0]
        if torrent is None:
            torrent = await asyncio.to_thread(make_torrent, self._blobs.path(digest), digest)
        entry = BlobEntry(torrent.ref, torrent.metadata, shared)
        try:
            await self._catalogue.save(entry, tarball)
        except StoreError:
            await asyncio.to_thread(self._blobs.remove, digest)
            raise
        self._hold(entry)
        if shared:
            self.on_shared([torrent.ref])
        return torrent.ref

    def _hold(self, entry: BlobEntry) -> None:
        self._held[entry.ref.sha512] = (entry.ref, entry.shared)
        if entry.shared:
            self._session.seed(Torrent(entry.ref, entry.metadata), self._blobs.path(entry.ref.sha512).parent)


async def _nothing(_: bytes) -> None:
    pass
