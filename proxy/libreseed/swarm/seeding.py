"""What this node holds and seeds: each blob gets its torrent, its row in the catalogue, its place in the session."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from libreseed.errors import LibreseedError, StoreError
from libreseed.store.blobs import BlobStore, Condition, check_file
from libreseed.store.tables.catalogue import BlobEntry, Catalogue, TarballName
from libreseed.swarm.held import Held, HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.swarm.session import Session
from libreseed.swarm.torrents import Torrent, make_torrent, pieces_root
from libreseed.trust.records import BlobRef

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file in an incoming folder that is to be stored under its SHA-512, and named `tarball` if somebody who is
    believed says so; `shared` when others may have it."""

    file: Path
    digest: bytes
    shared: bool
    tarball: TarballName | None = None


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
        """Seed again what was held before, but for `withheld`, by SHA-512. What is not on the disk is not held: it may
        come back, as an unmounted disk does, or is fetched again.

        Raises StoreError.
        """
        entries = await self._catalogue.entries()
        missing = await asyncio.to_thread(lambda: [entry for entry in entries if not self._blobs.has(entry.ref.sha512)])
        gone = {entry.ref.sha512 for entry in missing}
        if gone:
            log.warning("%d of %d files are gone from %s.", len(gone), len(entries), self._blobs.folder)
        for file, digest in self._catalogue.all_published():
            if digest in gone:
                log.warning("%s, which was published here, is gone: %s.", file, self._blobs.path(digest))
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
        """Tell whether a held blob is still what was stored. If not, it is held no longer, to be fetched again; what is
        damaged is set aside. Raises StoreError when the disk does not let that be told of what was published here, of
        which there may be no other copy."""
        held = self._held.get(digest)
        if held is None:
            return False
        try:
            condition = await self._blobs.examine(digest, held.ref.length)
        except StoreError as error:
            if self._catalogue.published(digest):
                raise
            log.warning("%s It is fetched again.", error)
            condition = Condition.GONE
        if condition is not Condition.INTACT and self._held.get(digest) is held:  # nobody was quicker, and has it again
            self._forget(digest)
            if condition is Condition.DAMAGED:
                place = await asyncio.to_thread(self._blobs.set_aside, digest)
                names = ", ".join(self._catalogue.published(digest)) or f"Blob {digest.hex()[:16]}…"
                log.warning("%s was damaged on the disk, and is set aside as %s.", names, place)
        return condition is Condition.INTACT

    def cached(self, digest: bytes) -> bytes | None:
        """Return the bytes of a held blob, intact, if they are at hand without waiting for the disk."""
        held = self._held.get(digest)
        return self._blobs.cached(digest, held.ref.length) if held is not None else None

    def owners(self, digest: bytes) -> set[str]:
        """Return the names of the packages that a blob is a tarball of."""
        return self._catalogue.owners(digest)

    def path(self, digest: bytes) -> Path:
        """Return the file of a held blob."""
        return self._blobs.path(digest)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(held.ref.length for held in self._held.values())

    async def add_bytes(
        self, data: bytes, digest: bytes, *, shared: bool, tarball: TarballName | None = None
    ) -> BlobRef:
        """Store bytes, hash their torrent and seed it. Raises IntegrityError, StoreError, SwarmError."""
        torrent = None
        if digest not in self._held:
            torrent = await asyncio.to_thread(lambda: make_torrent(self._blobs.add(data, digest), digest))
        return await self._add(digest, shared, tarball, torrent)

    async def add_file(self, file: Path, digest: bytes, *, shared: bool, tarball: TarballName | None = None) -> BlobRef:
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

    async def sync(self, digest: bytes) -> None:
        """Wait until a held blob would survive a power cut. Raises StoreError."""
        await asyncio.to_thread(self._blobs.sync, digest)

    async def share(self, digest: bytes) -> None:
        """Seed a held blob from now on. Raises StoreError, SwarmError."""
        if digest in self._held:
            await self._add(digest, True, None)

    async def drop(self, digest: bytes) -> None:
        """Forget and delete a blob that is of no use any longer."""
        self._forget(digest)
        await self._catalogue.remove(digest)
        await asyncio.to_thread(self._blobs.remove, digest)

    async def _add(
        self, digest: bytes, shared: bool, tarball: TarballName | None, torrent: Torrent | None = None
    ) -> BlobRef:
        held = self._held.get(digest)
        if held is not None and held.shared >= shared:
            if tarball is not None:
                await self._catalogue.name_tarball(tarball, digest)
            return held.ref
        if torrent is None:
            torrent = await asyncio.to_thread(make_torrent, self._blobs.path(digest), digest)
        entry = BlobEntry(torrent.ref, torrent.metadata, shared)
        try:
            await self._catalogue.save(entry, tarball)
        except StoreError:
            if held is None:  # what is held already stays
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

    def _forget(self, digest: bytes) -> None:
        held = self._held.pop(digest, None)
        if held is not None:
            self._session.unseed(held.ref.v2)
            self._offers.forget(digest)
            self._announcer.withdraw(digest)

    def _hold(self, entry: BlobEntry) -> None:
        self._held[entry.ref.sha512] = Held(entry.ref, entry.shared, pieces_root(entry.metadata))
        if entry.shared:
            self._session.seed(Torrent(entry.ref, entry.metadata), self._blobs.path(entry.ref.sha512).parent)
