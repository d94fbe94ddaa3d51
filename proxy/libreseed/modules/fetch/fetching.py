"""Fetches the packages of an install, and unpacks each into the staging folder as soon as its tarball is there."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from libreseed.errors import IntegrityError, LibreseedError
from libreseed.modules.fetch.credentials import authorization
from libreseed.modules.fetch.packing import pack
from libreseed.modules.fetch.prefetch import Arrival, prefetch
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.unpack.shared import Shared, entry_of
from libreseed.modules.unpack.staging import Staging
from libreseed.modules.unpack.workers import Link, Workers

if TYPE_CHECKING:
    from libreseed.modules.fetch.client import RegistryClient

PACKING_AT_ONCE = 4
LINKED_IN_A_ROW = 16
"""Packages in one job of a process that links files of the shared folder."""

_HINT = "What was there before stays. Look at the entry in package-lock.json, and at: libreseed doctor"


class Progress(Protocol):
    """Receives the progress of an install."""

    def stage(self, text: str, total: int = 0) -> None:
        """Begin the next stage, with `total` packages to do."""

    def advance(self, source: str, size: int) -> None:
        """Count one more package; its tarball came from `source`, and `size` bytes of it were read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The number of tarballs by source, and the locations of optional packages that could not be fetched."""

    sources: Counter[str] = field(default_factory=Counter)
    absent: set[str] = field(default_factory=set)


async def fetch_all(
    packages: Sequence[LockedPackage],
    url: str,
    root: Path,
    *,
    staging: Staging,
    progress: Progress,
    workers: Workers,
    shared: Shared | None = None,
) -> Fetched:
    """Unpack every package into the staging folder, from the registry at `url`, or packed by npm in the folder `root`.

    With `shared` they are taken from the unpacked packages there, which those that it lacks are added to.

    Raises IntegrityError, NotFoundError, ForbiddenError, UnavailableError or StoreError at the first package that
    fails.
    """
    fetched = Fetched()
    fetching = _Fetching(
        url, root=root, staging=staging, progress=progress, shared=shared, workers=workers, fetched=fetched
    )
    try:
        await fetching.run(packages)
    except ExceptionGroup as group:
        raise _first(group) from group
    return fetched


_Linking = dict[str, asyncio.Task[set[str]]]
"""Location -> the task that links that package and others from the shared folder; it returns the locations of those
that were there."""


class _Fetching:
    def __init__(
        self,
        url: str,
        root: Path,
        staging: Staging,
        *,
        progress: Progress,
        shared: Shared | None,
        workers: Workers,
        fetched: Fetched,
    ) -> None:
        self._url = url
        self._root = root
        self._staging = staging
        self._progress = progress
        self._shared = shared
        self._workers = workers
        self._fetched = fetched
        self._packing = asyncio.Semaphore(PACKING_AT_ONCE)

    async def run(self, packages: Sequence[LockedPackage]) -> None:
        registrys = [package for package in packages if package.kind == "registry"]
        waiting = {package.location: package for package in registrys}
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            linking = self._link_ahead(registrys, tasks)
            for package in packages:
                if package.kind == "packed":
                    tasks.create_task(self._pack(package))
            headers = await asyncio.to_thread(authorization, self._url, self._root)
            if registrys:
                async with aclosing(prefetch(self._url, registrys, headers)) as news:
                    taking = [
                        tasks.create_task(self._take_arrivals([*self._settled(arrivals, waiting)], linking, tasks))
                        async for arrivals in news
                    ]
                for elsewhere in await asyncio.gather(*taking):
                    waiting |= elsewhere
            if waiting:
                from libreseed.modules.fetch.client import RegistryClient  # its HTTP client is slow to import

                client = await stack.enter_async_context(RegistryClient(self._url, headers))
                async with asyncio.TaskGroup() as downloads:
                    for package in waiting.values():
                        downloads.create_task(self._download(client, package))

    def _link_ahead(self, packages: Sequence[LockedPackage], tasks: asyncio.TaskGroup) -> _Linking:
        """Start to link packages from the shared folder, before the node has told whether they are allowed."""
        linking: _Linking = {}
        if self._shared is not None:
            for at in range(0, len(packages), LINKED_IN_A_ROW):
                some = packages[at : at + LINKED_IN_A_ROW]
                linking |= dict.fromkeys((each.location for each in some), tasks.create_task(self._link(some)))
        return linking

    async def _link(self, packages: Sequence[LockedPackage]) -> set[str]:
        """Link those of the packages that are in the shared folder, and return their locations."""
        links = {each.location: link for each in packages if (link := self._way_to_link(each)) is not None}
        outcomes = await self._workers.link([*links.values()]) if links else []
        return {location for location, done in zip(links, outcomes, strict=True) if done}

    def _way_to_link(self, package: LockedPackage) -> Link | None:
        """Return the job that links a package from the shared folder, None when it is not there."""
        shared = self._sharing(package)
        if shared is None or package.digest is None:
            return None
        entry = entry_of(shared, package.digest)
        return Link(shared.way, entry, self._staging.part(package)) if os.access(entry, os.R_OK) else None

    def _settled(self, arrivals: Iterable[Arrival], waiting: dict[str, LockedPackage]) -> Iterator[Arrival]:
        """Yield the tarballs that the node has, and remove all that it has reported from `waiting`."""
        for arrival in arrivals:
            del waiting[arrival.package.location]
            if arrival.error is not None:
                self._do_without(arrival.package, arrival.error)
            else:
                yield arrival

    async def _take_arrivals(
        self, arrivals: Sequence[Arrival], linking: _Linking, tasks: asyncio.TaskGroup
    ) -> dict[str, LockedPackage]:
        """Unpack the tarballs that the node has; return by location the packages that are to be downloaded."""
        elsewhere = {}
        for arrival in arrivals:
            package = arrival.package
            ahead = linking.get(package.location)
            if ahead is not None and package.location in await ahead:
                self._staging.finish(package)
                self._count(arrival.source, 0)
            elif (file := arrival.find_file()) is not None:
                tasks.create_task(self._take(package, file, arrival.source, package.digest))
            else:
                elsewhere[package.location] = package
        return elsewhere

    def _sharing(self, package: LockedPackage) -> Shared | None:
        return self._shared.apart if self._shared is not None and package.has_install_script else self._shared

    def _count(self, source: str, size: int) -> None:
        self._fetched.sources[source] += 1
        self._progress.advance(source, size)

    async def _download(self, client: "RegistryClient", package: LockedPackage) -> None:
        tarball = Path(f"{self._staging.part(package)}.tgz")
        try:
            source = await client.download(package, tarball)
        except LibreseedError as error:
            self._do_without(package, error)
            return
        await self._take(package, tarball, source, package.digest)
        await asyncio.to_thread(tarball.unlink)

    async def _pack(self, package: LockedPackage) -> None:
        try:
            async with self._packing:
                folder = Path(f"{self._staging.part(package)}.packed")
                tarball = await pack(package, self._root, folder)
        except LibreseedError as error:
            self._do_without(package, error)
            return
        # What npm packs from git or a folder need not be the same bytes each time; git's commit id identifies it.
        repacked = tarball.is_relative_to(folder) and not package.origin.startswith("http")
        source = package.origin.partition(":")[0].partition("+")[0]
        await self._take(package, tarball, source, None if repacked else package.digest)

    async def _take(self, package: LockedPackage, tarball: Path, source: str, digest: bytes | None) -> None:
        try:
            size = await self._workers.unpack(tarball, digest, self._staging.part(package), self._sharing(package))
        except IntegrityError as error:
            raise IntegrityError(f"{package.label} from {source}: {error.message}", hint=_HINT) from error
        self._staging.finish(package)
        self._count(source, size)

    def _do_without(self, package: LockedPackage, error: LibreseedError) -> None:
        """Note that a package is absent if it is optional, as npm does; otherwise, and for wrong bytes, raise the
        error."""
        if not package.optional or isinstance(error, IntegrityError):
            raise error
        self._fetched.absent.add(package.location)


def _first(group: ExceptionGroup) -> Exception:
    """Return the first error in a group of groups."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
