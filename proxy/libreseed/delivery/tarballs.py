"""Tarballs: from the store, else from the swarm, else from the upstream, each fetched once for all who ask."""

import asyncio
import logging
from dataclasses import replace

from libreseed.delivery.bundled import BundledPackage
from libreseed.delivery.errands import Errands, outcome
from libreseed.delivery.expected import Expected, ExpectedTarballs
from libreseed.delivery.flight import Flight, FoundTarball
from libreseed.delivery.flow import Flow
from libreseed.delivery.ownership import Ownership
from libreseed.delivery.packuments import PackumentDelivery
from libreseed.delivery.policing import Policing
from libreseed.delivery.signatures import Signatures
from libreseed.delivery.sources import Source
from libreseed.delivery.swarmfetch import SwarmFetcher, Wanted
from libreseed.delivery.tarballpolicy import TarballPolicy
from libreseed.delivery.upstreamfetch import STREAM_FROM, Got, UpstreamFetcher
from libreseed.errors import IntegrityError, LibreseedError, NotFoundError, UnavailableError
from libreseed.packages.names import check_name
from libreseed.store.blobs import BlobStore
from libreseed.store.catalogue import Catalogue
from libreseed.swarm.seeding import Seeding
from libreseed.trust.records import BlobRef
from libreseed.upstream.client import Upstream
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

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
        ownership: Ownership,
        signatures: Signatures,
        upstream: Upstream | None,
        policing: Policing,
        bundled: BundledPackage,
        *,
        hedge: float = HEDGE,
        share: bool = True,
    ) -> None:
        self._catalogue = catalogue
        self._seeding = seeding
        self._fetcher = fetcher
        self._packuments = packuments
        self._ownership = ownership
        self._from_upstream = UpstreamFetcher(upstream, blobs, seeding, share=share)
        self._policy = TarballPolicy(packuments, ownership, policing)
        self._bundled = bundled
        self._hedge = hedge
        self._expected = ExpectedTarballs(signatures)
        self._flights: dict[_Key, Flight] = {}
        self._errands: Errands[object, None] = Errands()

    async def find(self, name: str, file: str, integrity: bytes | None, *, whole: bool = False) -> FoundTarball:
        """Return the tarball `file` of the package `name`; with `whole`, only when it is complete.

        `integrity` is the SHA-512 that the client demands, when it says so: then its lock file is all the trust that
        is needed beside the policy, unless the packument has that integrity with a wrong signature of the registry.
        Raises ForbiddenError when the policy refuses it, NotFoundError, UnavailableError, IntegrityError, TrustError,
        StoreError.
        """
        check_name(name)
        await self._policy.check(name, file, integrity)
        brought = self._bundled.tarball(file, integrity) if name == self._bundled.name else None
        if brought is not None:
            return brought
        held = await self._held(name, file, integrity, whole=whole)
        if held is not None:
            return held
        key = (name, file, integrity, came_through())
        flight = self._flights.get(key)
        if flight is None:
            flight = Flight()
            self._errands.start(flight, lambda: self._fly(key, flight))
            self._flights[key] = flight
        return await flight.landed() if whole else self._at_hand(await flight.found())

    @property
    def is_busy(self) -> bool:
        """Whether a tarball is being fetched."""
        return self._errands.is_busy

    async def idle(self) -> None:
        """Wait until no tarball is being fetched."""
        await self._errands.idle()

    async def close(self) -> None:
        """End what is under way."""
        await self._errands.close()

    async def _held(self, name: str, file: str, integrity: bytes | None, *, whole: bool) -> FoundTarball | None:
        digest = self._catalogue.tarball(name, file)
        ref = self._seeding.find(digest) if digest is not None else None
        if ref is None or integrity not in (None, digest):
            return None
        if integrity is None and self._ownership.is_declared(name) and not await self._is_owners(name, file, ref):
            return None
        data = None if whole else self._seeding.cached(ref.sha512)
        if data is not None:
            return FoundTarball("store", ref.length, digest=ref.sha512, data=data)
        if not await self._seeding.check(ref.sha512):
            return None
        return self._landed("store", ref)

    def _at_hand(self, found: FoundTarball) -> FoundTarball:
        """Return a tarball with its bytes if they are had without waiting for the disk, as with what has just come."""
        data = self._seeding.cached(found.digest) if found.file is not None and found.digest is not None else None
        return found if data is None else replace(found, data=data)

    async def _is_owners(self, name: str, file: str, ref: BlobRef) -> bool:
        """Tell whether a stored tarball is that of the upstream declared for its name: what came before it was declared
        may be a stranger's."""
        expected = await self._expect(name, file, None)
        return self._seeding.shared(ref.sha512) is None if expected.digest is None else expected.digest == ref.sha512

    async def _fly(self, key: _Key, flight: Flight) -> None:
        try:
            source, got = await self._fetch(*key[:3], flight)
            flight.land(self._landed(source, got))
        except LibreseedError as error:
            flight.crash(error)
            log.info("%s/-/%s: %s", key[0], key[1], error)
        except BaseException:
            flight.crash(UnavailableError("This node is shutting down."))
            raise
        finally:
            self._flights.pop(key, None)

    def _landed(self, source: Source, got: Got) -> FoundTarball:
        if isinstance(got, bytes):
            return FoundTarball(source, len(got), data=got)
        return FoundTarball(source, got.length, self._seeding.path(got.sha512), None, got.sha512)

    async def _fetch(self, name: str, file: str, integrity: bytes | None, flight: Flight) -> tuple[Source, Got]:
        expected = await self._expect(name, file, integrity)
        stored = self._stored(expected, integrity)
        if stored is not None and expected.digest is not None and await self._seeding.check(expected.digest):
            await self._catalogue.name_tarball(name, file, expected.digest)
            return "store", stored
        attempts: dict[asyncio.Task[Got], Source] = {}
        try:
            return await self._race(name, file, expected, flight, attempts)
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    def _stored(self, expected: Expected, claimed: bytes | None) -> BlobRef | None:
        """Return the blob that is expected if it is held. What only the client claims opens nothing restricted:
        only what everybody may have is given out by its hash alone."""
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
        attempts: "dict[asyncio.Task[Got], Source]",
    ) -> tuple[Source, Got]:
        """Start the swarm, after the hedge time the upstream too; the first verified copy wins."""
        errors: list[LibreseedError] = []
        may_ask_upstream = self._ownership.is_upstreams(name)
        if expected.digest is not None and not expected.restricted:
            wanted = Wanted(expected.digest, expected.ref, expected.seeders, (name, file))
            wanted.shared = self._ownership.is_public(name)
            length = expected.ref.length if expected.ref is not None else 0
            if length >= STREAM_FROM:
                wanted.stream = lambda spool: flight.offer("swarm", Flow(spool, length), wanted.digest)
            swarm: asyncio.Task[Got] = asyncio.create_task(self._fetcher.fetch(wanted))
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
        if integrity is None and expected.digest is None and not self._ownership.is_upstreams(name):
            found = await self._packuments.find_whole(name)
            return await self._expected.read(found, file, found.seeders)
        restricted = expected.restricted or await self._ownership.is_private(name)
        if integrity is None:
            return replace(expected, restricted=restricted)
        if expected.digest not in (None, integrity):
            return Expected(integrity, restricted=restricted)
        return replace(expected, digest=integrity, restricted=restricted, vouched=expected.digest is not None)

    def _start_upstream(self, name: str, file: str, expected: Expected, flight: Flight) -> "asyncio.Task[Got]":
        return asyncio.create_task(self._from_upstream.fetch(name, file, expected, flight))


async def _first_of(task: "asyncio.Task[Got]", event: asyncio.Event, timeout: float) -> None:
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, waiter], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()


def _succeeded(task: "asyncio.Task[Got]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _worst(errors: list[LibreseedError]) -> LibreseedError:
    """Return the error that tells most: wrong bytes before silence before absence."""
    order = (IntegrityError, UnavailableError)
    for kind in order:
        for error in errors:
            if isinstance(error, kind):
                return error
    return errors[-1]
