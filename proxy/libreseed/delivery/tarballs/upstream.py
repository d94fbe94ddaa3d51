"""Fetches tarballs from the upstream, checks and stores them."""

import hashlib
import logging
import time
from pathlib import Path

from libreseed.concurrency.offloading import offload
from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.tarballs.download import SharedDownload
from libreseed.delivery.tarballs.expected import Expected
from libreseed.errors import NotFoundError, StoreError
from libreseed.store.blobs import BlobStore
from libreseed.store.tables.catalogue import TarballName
from libreseed.swarm.seeding import Seeding
from libreseed.trust.records import BlobRef
from libreseed.upstream.client import Upstream
from libreseed.upstream.tarballs import TarballStream

log = logging.getLogger(__name__)

STREAM_FROM = 1 << 20
"""Bytes from which on a tarball is streamed to clients while it is fetched; for smaller ones that gains no time."""
IN_MEMORY = 64 << 20
"""Bytes up to which a tarball is served from memory when the disk is full."""

DEFAULT_RATE = 1e6
"""Bytes a second that the upstream is taken to deliver before a large tarball came from it."""
_WEIGHT = 0.3
"""How much the last large tarball counts in the measured rate."""
_SHORTEST = 0.01
_QUICK = 64 << 10
"""Bytes below which hashing takes less time than a hand-over to a thread."""

Got = BlobRef | bytes
"""A blob of the store, or the checked bytes that it had no room for."""


class UpstreamFetcher:
    """Fetches from the upstream. `share`: seed the tarballs, except restricted ones."""

    def __init__(
        self, upstream: Upstream | None, ownership: Ownership, blobs: BlobStore, seeding: Seeding, *, share: bool
    ) -> None:
        self._upstream = upstream
        self._ownership = ownership
        self._blobs = blobs
        self._seeding = seeding
        self._share = share
        self.rate = DEFAULT_RATE
        """Bytes a second that the upstream has delivered lately."""

    async def fetch(self, expected: Expected, download: SharedDownload) -> Got:
        """Fetch, check and store the expected tarball; a large one is offered to the `download` as a stream.

        Raises NotFoundError, UnavailableError, IntegrityError, StoreError.
        """
        if self._upstream is None:
            raise NotFoundError(f"Nobody offers {expected.label}.")
        opened = (
            self._upstream.tarball_at(expected.url, name=expected.name)
            if expected.url is not None
            else self._upstream.tarball(expected.name, expected.file)
        )
        async with opened as stream:
            length = IN_MEMORY if stream.length is None else stream.length
            if length < STREAM_FROM or (length <= IN_MEMORY and not await self._blobs.has_room(length)):
                return await self._keep_small(expected, stream)
            folder = self._blobs.incoming_dir()
            try:
                return await self._keep_large(expected, stream, folder / "tarball", download)
            finally:
                await self._blobs.discard(folder)

    async def _keep_small(self, expected: Expected, stream: TarballStream) -> Got:
        chunks: list[bytes] = []
        left = IN_MEMORY
        strong, weak = hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
        async for chunk in stream:
            left -= len(chunk)
            if left < 0:
                raise StoreError(f"The disk is full, and {expected.label} too large to be passed on all the same.")
            await _update(chunk, strong, weak)
            chunks.append(chunk)
        data = b"".join(chunks)
        digest = expected.check(strong, weak)
        shared = await self._may_share(expected, stream)
        try:
            return await self._seeding.add_bytes(data, digest, shared=shared, tarball=self._named(expected))
        except StoreError as error:
            log.warning("%s is passed on, but not kept. %s", expected.label, error)
            return data

    async def _keep_large(
        self, expected: Expected, stream: TarballStream, spool: Path, download: SharedDownload
    ) -> BlobRef:
        spooled = SpooledStream(spool, stream.length)
        try:
            download.offer("upstream", spooled, expected.digest)
            strong, weak = hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
            started = time.monotonic()
            async for chunk in stream:
                await _update(chunk, strong, weak)
                await spooled.write(chunk)
            self._measure(spooled.written, time.monotonic() - started)
            digest = expected.check(strong, weak)
            shared = await self._may_share(expected, stream)
            return await self._seeding.add_file(spool, digest, shared=shared, tarball=self._named(expected))
        finally:
            download.release(spooled)

    def _measure(self, length: int, seconds: float) -> None:
        self.rate += (length / max(seconds, _SHORTEST) - self.rate) * _WEIGHT

    def _named(self, expected: Expected) -> TarballName:
        return TarballName(expected.name, expected.file, self._ownership.upstream_origin(expected.name))

    async def _may_share(self, expected: Expected, stream: TarballStream) -> bool:
        return self._share and not (expected.restricted or await stream.restricted())


async def _update(chunk: bytes, *hashes: "hashlib._Hash") -> None:
    def update() -> None:
        for each in hashes:
            each.update(chunk)

    await offload(update, len(chunk), quick=_QUICK)
