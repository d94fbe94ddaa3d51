"""Tarballs: from the store, else from the swarm, else from the upstream, each fetched once for all who ask."""

import asyncio
import hashlib
import logging
from dataclasses import replace
from pathlib import Path

from libreseed.delivery.errands import Errands, outcome
from libreseed.delivery.expected import Expected, ExpectedTarballs
from libreseed.delivery.flight import Flight, FoundTarball
from libreseed.delivery.flow import Flow
from libreseed.delivery.packuments import PackumentDelivery
from libreseed.delivery.policing import Policing
from libreseed.delivery.sources import Source
from libreseed.delivery.swarmfetch import SwarmFetcher, Wanted
from libreseed.delivery.tarballpolicy import TarballPolicy
from libreseed.errors import IntegrityError, LibreseedError, NotFoundError, UnavailableError
from libreseed.packages.integrity import format_integrity
from libreseed.packages.names import check_name
from libreseed.store.blobs import BlobStore
from libreseed.store.catalogue import Catalogue
from libreseed.swarm.seeding import Seeding
from libreseed.trust.records import BlobRef
from libreseed.upstream.client import TarballStream, Upstream
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

STREAM_FROM = 1 << 20
"""Bytes from which on a tarball is passed on as it comes; smaller ones are whole before that would pay."""
HEDGE = 0.2
"""Seconds without a verified piece from the swarm after which the upstream is asked too."""

_Key = tuple[str, str, bytes | None, tuple[str, ...]]
"""Name, file, demanded SHA-512, and the nodes that the request came through (see `upstream.via`)."""


class TarballDelivery:
    """Answers "are these the bytes"."""

    def __init__(
        self,
        catalogue: Catalogue,
        blobs: BlobStore,
        seeding: Seeding,
        fetcher: SwarmFetcher,
        packuments: PackumentDelivery,
        upstream: Upstream | None,
        policing: Policing,
        *,
        hedge: float = HEDGE,
        share: bool = True,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._seeding = seeding
        self._fetcher = fetcher
        self._packuments = packuments
        self._upstream = upstream
        self._policy = TarballPolicy(packuments, policing)
        self._hedge = hedge
        self._share = share
        self._expected = ExpectedTarballs()
        self._flights: dict[_Key, Flight] = {}
        self._errands: Errands[object, None] = Errands()

    async def find(self, name: str, file: str, integrity: bytes | None, *, whole: bool = False) -> FoundTarball:
        """Return the tarball `file` of the package `name`; with `whole`, only when it is complete.

        `integrity` is the SHA-512 that the client demands, when it says so: then its lock file is all the trust that
        is needed beside the policy. Raises ForbiddenError when that refuses it, NotFoundError, UnavailableError,
        IntegrityError, TrustError, StoreError.
        """
        check_name(name)
        await self._policy.check(name, file, integrity)
        held = self._held(name, file, integrity)
        if held is not None:
            return held
        key = (name, file, integrity, came_through())
        flight = self._flights.get(key)
        if flight is None:
            flight = Flight()
            self._errands.start(flight, lambda: self._fly(key, flight))
            self._flights[key] = flight
        return await flight.landed() if whole else await flight.found()

    async def close(self) -> None:
        """End what is under way."""
        await self._errands.close()

    def _held(self, name: str, file: str, integrity: bytes | None) -> FoundTarball | None:
        digest = self._catalogue.tarball(name, file)
        if integrity is not None and digest != integrity:
            # Other bytes than those on file: only what everybody may have is given out by its hash alone.
            digest = integrity if self._seeding.shared(integrity) is not None else None
        ref = self._seeding.find(digest) if digest is not None else None
        if ref is None:
            return None
        return FoundTarball("store", ref.length, self._seeding.path(ref.sha512), None, ref.sha512)

    async def _fly(self, key: _Key, flight: Flight) -> None:
        try:
            source, ref = await self._fetch(*key[:3], flight)
            flight.land(FoundTarball(source, ref.length, self._seeding.path(ref.sha512), None, ref.sha512))
        except LibreseedError as error:
            flight.crash(error)
            log.info("%s/-/%s: %s", key[0], key[1], error)
        except BaseException:
            flight.crash(UnavailableError("This node is shutting down."))
            raise
        finally:
            self._flights.pop(key, None)

    async def _fetch(self, name: str, file: str, integrity: bytes | None, flight: Flight) -> tuple[Source, BlobRef]:
        expected = await self._expect(name, file, integrity)
        stored = self._stored(expected, integrity)
        if stored is not None and expected.digest is not None:
            await self._catalogue.name_tarball(name, file, expected.digest)
            return "store", stored
        attempts: dict[asyncio.Task[BlobRef], Source] = {}
        try:
            return await self._race(name, file, expected, flight, attempts)
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    def _stored(self, expected: Expected, claimed: bytes | None) -> BlobRef | None:
        """Return the blob that is expected if it is held. What only the client claims opens nothing restricted."""
        if expected.digest is None:
            return None
        vouched = expected.vouched or expected.digest != claimed
        return self._seeding.find(expected.digest) if vouched else self._seeding.shared(expected.digest)

    async def _race(
        self,
        name: str,
        file: str,
        expected: Expected,
        flight: Flight,
        attempts: "dict[asyncio.Task[BlobRef], Source]",
    ) -> tuple[Source, BlobRef]:
        """Start the swarm, after the hedge time the upstream too; the first verified copy wins."""
        errors: list[LibreseedError] = []
        may_ask_upstream = self._packuments.is_upstreams(name)
        if expected.digest is not None and not expected.restricted:
            wanted = Wanted(expected.digest, expected.ref, expected.seeders, (name, file))
            wanted.shared = self._packuments.is_public(name)
            length = expected.ref.length if expected.ref is not None else 0
            if length >= STREAM_FROM:
                wanted.stream = lambda spool: flight.offer("swarm", Flow(spool, length), wanted.digest)
            swarm = asyncio.create_task(self._fetcher.fetch(wanted))
            attempts[swarm] = "swarm"
            if may_ask_upstream:
                await _first_of(swarm, wanted.started, self._hedge)
                if not wanted.started.is_set() and not _succeeded(swarm):
                    attempts[self._start_upstream(name, file, expected, flight)] = "upstream"
                    may_ask_upstream = False
        while True:
            if not attempts:
                if not may_ask_upstream:
                    raise _worst(errors) if errors else NotFoundError(f"Nobody offers {file} of {name}.")
                attempts[self._start_upstream(name, file, expected, flight)] = "upstream"
                may_ask_upstream = False
            await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            for attempt in [attempt for attempt in attempts if attempt.done()]:
                source = attempts.pop(attempt)
                try:
                    return source, outcome(attempt)
                except LibreseedError as error:
                    errors.append(error)

    async def _expect(self, name: str, file: str, integrity: bytes | None) -> Expected:
        """Gather what the bytes must be, asking others only when nothing else tells."""
        stored = await self._packuments.stored(name)
        expected = Expected()
        if stored is not None:
            try:
                expected = await self._expected.read(stored, file, self._packuments.seeders_of(name))
            except NotFoundError:
                log.debug("The stored packument of %s does not know %s.", name, file)
        if integrity is None and expected.digest is None and not self._packuments.is_upstreams(name):
            found = await self._packuments.find_whole(name)
            return await self._expected.read(found, file, found.seeders)
        restricted = expected.restricted or await self._packuments.is_private(name)
        if integrity is None:
            return replace(expected, restricted=restricted)
        if expected.digest not in (None, integrity):
            return Expected(integrity, restricted=restricted)
        return replace(expected, digest=integrity, restricted=restricted, vouched=expected.digest is not None)

    def _start_upstream(self, name: str, file: str, expected: Expected, flight: Flight) -> "asyncio.Task[BlobRef]":
        return asyncio.create_task(self._from_upstream(name, file, expected, flight))

    async def _from_upstream(self, name: str, file: str, expected: Expected, flight: Flight) -> BlobRef:
        if self._upstream is None:
            raise NotFoundError(f"Nobody offers {file} of {name}.")
        opened = (
            self._upstream.tarball_at(expected.url, name=name)
            if expected.url is not None
            else self._upstream.tarball(name, file)
        )
        async with opened as stream:
            if stream.length is not None and stream.length < STREAM_FROM:
                return await self._keep_small(name, file, expected, stream)
            folder = self._blobs.incoming_dir()
            try:
                return await self._keep_large(name, file, expected, stream, folder / "tarball", flight)
            finally:
                await self._blobs.discard(folder)

    async def _keep_small(self, name: str, file: str, expected: Expected, stream: TarballStream) -> BlobRef:
        data = b"".join([chunk async for chunk in stream])
        digest = _check(name, file, expected, hashlib.sha512(data), hashlib.sha1(data, usedforsecurity=False))
        shared = await self._may_share(expected, stream)
        return await self._seeding.add_bytes(data, digest, shared=shared, tarball=(name, file))

    async def _keep_large(
        self, name: str, file: str, expected: Expected, stream: TarballStream, spool: Path, flight: Flight
    ) -> BlobRef:
        flow = Flow(spool, stream.length)
        try:
            flight.offer("upstream", flow, expected.digest)
            strong, weak = hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
            async for chunk in stream:
                await asyncio.to_thread(_update, chunk, strong, weak)
                await flow.write(chunk)
            digest = _check(name, file, expected, strong, weak)
            shared = await self._may_share(expected, stream)
            return await self._seeding.add_file(spool, digest, shared=shared, tarball=(name, file))
        finally:
            flight.let_go(flow)

    async def _may_share(self, expected: Expected, stream: TarballStream) -> bool:
        return self._share and not (expected.restricted or await stream.restricted())


async def _first_of(task: "asyncio.Task[BlobRef]", event: asyncio.Event, timeout: float) -> None:
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, waiter], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()


def _succeeded(task: "asyncio.Task[BlobRef]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _update(chunk: bytes, *hashes: "hashlib._Hash") -> None:
    for each in hashes:
        each.update(chunk)


def _check(name: str, file: str, expected: Expected, strong: "hashlib._Hash", weak: "hashlib._Hash") -> bytes:
    """Return the SHA-512 of what the upstream sent. Raises IntegrityError when something else was promised."""
    digest = strong.digest()
    if expected.digest is not None and digest != expected.digest:
        raise IntegrityError(
            f"The upstream's {file} of {name} has {format_integrity(digest)}, but"
            f" {format_integrity(expected.digest)} is required; it was not stored.",
            hint="The lock file or the packument and the upstream disagree; do not install it before you know why.",
        )
    if expected.digest is None and expected.shasum and weak.hexdigest() != expected.shasum.lower():
        raise IntegrityError(
            f"The upstream's {file} of {name} has sha1 {weak.hexdigest()}, but {expected.shasum} is required;"
            " it was not stored."
        )
    return digest


def _worst(errors: list[LibreseedError]) -> LibreseedError:
    """Return the error that tells most: wrong bytes before silence before absence."""
    order = (IntegrityError, UnavailableError)
    for kind in order:
        for error in errors:
            if isinstance(error, kind):
                return error
    return errors[-1]
