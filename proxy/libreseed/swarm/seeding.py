"""What this node holds and seeds: each blob gets its torrent, its row in the catalogue, its place in the session."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from libreseed.errors import LibreseedError, StoreError
from libreseed.store.blobs import BlobStore, check_file
from libreseed.store.tables.catalogue import BlobEntry, Catalogue
from libreseed.swarm.held import Held, HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.swarm.session import Session
from libreseed.swarm.torrents import Torrent, make_torrent, pieces_root
from libreseed.trust.records import BlobRef

log = logging.getLogger(__name__)

Tarball = tuple[str, str]
"""Package name and file name."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file in an incoming folder that is to be stored under its SHA-512, and named `tarball`; `shared` when others
    may have it."""

    file: Path
    digest: bytes
    shared: bool
    tarball: Tarball | None = None


class Announcer(Protocol):
    """Who is told of blobs that others may now fetch from this node, or no longer may."""

    def add(self, refs: Iterable[BlobRef]) -> None:
        """Announce blobs."""

    def withdraw(self, digest: bytes) -> None:
        """Announce the blob with this SHA-512 no longer."""


class Seeding:
    """The blobs of this node, and which of them others may have. The `announcer` is told of each change of that."""

    def __init__(
        self,
        blobs: BlobStore,
        *,
        catalogue: Catalogue,
        session: Session,
        held: HeldBlobs,
        offers: Offers,
        announcer: Announcer,
    ) -> None:
        """`held` is filled here, and by nobody else; `offers` are the bundles made of it."""
        self._blobs = blobs
        self._catalogue = catalogue
        self._session = session
        self._held = held
        self._offers = offers
        self._announcer = announcer

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
        self._announcer.add(self.list_shared())

    def find(self, digest: bytes) -> BlobRef | None:
        """Return the blob with this SHA-512 if it is held, from memory."""
        held = self._held.get(digest)
        return held.ref if held else None

    def shared(self, digest: bytes) -> BlobRef | None:
        """Return the blob with this SHA-512 if it is held and others may have it."""
        held = self._held.get(digest)
        return held.ref if held and held.shared else None

    def list_shared(self) -> list[BlobRef]:
        """Return all blobs that others may have."""
        return [held.ref for held in self._held.values() if held.shared]

    def __len__(self) -> int:
        """How many blobs are held."""
        return len(self._held)

    async def check(self, digest: bytes) -> bool:
        """Tell whether a held blob is still what was stored. If not, it is forgotten, to be fetched again."""
        held = self._held.get(digest)
        if held is None:
            return False
        intact = await self._blobs.is_intact(digest, held.ref.length)
        if not intact and self._held.get(digest) is held:  # nobody was quicker, and has it whole again
            log.warning("Blob %s… was damaged on the disk; forgotten.", digest.hex()[:16])
            await self.drop(digest)
        return intact

    def cached(self, digest: bytes) -> bytes | None:
        """Return the bytes of a held blob, intact, if they are at hand without waiting for the disk."""
        held = self._held.get(digest)
        return self._blobs.cached(digest, held.ref.length) if held is not None else None

    def path(self, digest: bytes) -> Path:
        """Return the file of a held blob."""
        return self._blobs.path(digest)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(held.ref.length for held in self._held.values())

    async def add_bytes(self, data: bytes, digest: bytes, *, shared: bool, tarball: Tarball | None = None) -> BlobRef:
        """Store bytes, hash their torrent and seed it. Raises IntegrityError, StoreError, SwarmError."""
        torrent = None
        if digest not in self._held:
            torrent = await asyncio.to_thread(lambda: make_torrent(self._blobs.add(data, digest), digest))
        return await self._add(digest, shared, tarball, torrent)

    async def add_file(self, file: Path, digest: bytes, *, shared: bool, tarball: Tarball | None = None) -> BlobRef:
        """Check and store a file from an incoming folder, then as `add_bytes`."""
        (outcome,) = await self.add_files([Incoming(file, digest, shared, tarball)])
        if isinstance(outcome, LibreseedError):
            raise outcome
        return outcome

    async def add_files(self, files: Sequence[Incoming], *, keep: bool = False) -> list[BlobRef | LibreseedError]:
        """Check and store several files in one go; for each its blob, or why `add_file` would fail. With `keep` they
        stay where they are too (see `BlobStore.adopt`). What is held already is checked all the same: who sent it is
        judged by it."""
        held = {each.digest for each in files if each.digest in self._held}
        adopted = await asyncio.to_thread(self._adopt, files, held, keep)

        async def add(each: Incoming, torrent: Torrent | LibreseedError | None) -> BlobRef | LibreseedError:
            try:
                if isinstance(torrent, LibreseedError):
                    raise torrent
                return await self._add(each.digest, each.shared, each.tarball, torrent)
            except LibreseedError as error:
                return error

        return await asyncio.gather(*map(add, files, adopted))

    async def share(self, digest: bytes) -> None:
        """Seed a held blob from now on. Raises StoreError, SwarmError."""
        if digest in self._held:
            await self._add(digest, True, None)

    async def drop(self, digest: bytes) -> None:
        """Forget and delete a blob, such as one found damaged."""
        held = self._held.pop(digest, None)
        if held is not None:
            self._session.unseed(held.ref.v2)
            self._offers.forget(digest)
            self._announcer.withdraw(digest)
        await self._catalogue.remove(digest)
        await asyncio.to_thread(self._blobs.remove, digest)

    async def _add(
        self, digest: bytes, shared: bool, tarball: Tarball | None, torrent: Torrent | None = None
    ) -> BlobRef:
        held = self._held.get(digest)
        if held is not None and held.shared >= shared:
            if tarball is not None and self._catalogue.tarball(*tarball) != digest:
                await self._catalogue.name_tarball(*tarball, digest)
            return held.ref
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
            self._announcer.add([torrent.ref])
        return torrent.ref

    def _adopt(
        self, files: Iterable[Incoming], held: Collection[bytes], keep: bool
    ) -> list[Torrent | LibreseedError | None]:
        def adopt(each: Incoming) -> Torrent | LibreseedError | None:
            try:
                if each.digest in held:
                    check_file(each.file, each.digest)
                    return None
                return make_torrent(self._blobs.adopt(each.file, each.digest, keep=keep), each.digest)
            except LibreseedError as error:
                return error

        return [*map(adopt, files)]

    def _hold(self, entry: BlobEntry) -> None:
        self._held[entry.ref.sha512] = Held(entry.ref, entry.shared, pieces_root(entry.metadata))
        if entry.shared:
            self._session.seed(Torrent(entry.ref, entry.metadata), self._blobs.path(entry.ref.sha512).parent)
