"""Gets the packages of an install and unpacks them into the staging, each as soon as it is there."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from libreseed.errors import IntegrityError, LibreseedError
from libreseed.modules.credentials import authorization
from libreseed.modules.lockentry import LockedPackage
from libreseed.modules.packing import pack
from libreseed.modules.prefetch import prefetch
from libreseed.modules.shared import Shared
from libreseed.modules.staging import Staging
from libreseed.modules.workers import Workers

if TYPE_CHECKING:
    from libreseed.modules.download import RegistryClient

PACKING_AT_ONCE = 4

_HINT = "What was there before stays. Look at the entry in package-lock.json, and at: libreseed doctor"


class Progress(Protocol):
    """What an install tells while it works."""

    def stage(self, text: str, total: int = 0) -> None:
        """A new stage begins, with `total` packages to do."""

    def advance(self, source: str, size: int) -> None:
        """One more package is done; its tarball of `size` bytes came from `source`."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many tarballs came from which source, and the optional packages that could not be had."""

    sources: Counter[str] = field(default_factory=Counter)
    absent: set[str] = field(default_factory=set)


async def fetch_all(
    packages: Sequence[LockedPackage],
    url: str,
    root: Path,
    staging: Staging,
    progress: Progress,
    shared: Shared | None = None,
) -> Fetched:
    """Put every package into the staging, from the registry at `url`, or packed by npm in `root`.

    With `shared` those without install scripts are taken from the files there.

    Raises IntegrityError, NotFoundError, UnavailableError, StoreError: the first of them ends it.
    """
    fetched = Fetched()
    async with Workers(len(packages)) as workers:
        fetching = _Fetching(url, root, staging, progress, shared, workers, fetched)
        try:
            await fetching.run(packages)
        except ExceptionGroup as group:
            raise _first(group) from group
    return fetched


class _Fetching:
    def __init__(
        self,
        url: str,
        root: Path,
        staging: Staging,
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
            for package in packages:
                if package.kind == "packed":
                    tasks.create_task(self._pack(package))
            headers = await asyncio.to_thread(authorization, self._url, self._root)
            if registrys:
                async with aclosing(prefetch(self._url, registrys, headers)) as arrivals:
                    async for arrival in arrivals:
                        if arrival.error is not None:
                            self._do_without(arrival.package, arrival.error)
                        elif arrival.file is None:
                            continue  # it is there, but not to be read here
                        else:
                            tasks.create_task(
                                self._take(arrival.package, arrival.file, arrival.source, arrival.package.digest)
                            )
                        del waiting[arrival.package.location]
            if waiting:
                from libreseed.modules.download import RegistryClient  # its HTTP client is slow to import

                client = await stack.enter_async_context(RegistryClient(self._url, headers))
                async with asyncio.TaskGroup() as downloads:
                    for package in waiting.values():
                        downloads.create_task(self._download(client, package))

    async def _download(self, client: "RegistryClient", package: LockedPackage) -> None:
        tarball = self._staging.part(package).with_suffix(".tgz")
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
                folder = self._staging.part(package).with_suffix(".packed")
                tarball = await pack(package, self._root, folder)
        except LibreseedError as error:
            self._do_without(package, error)
            return
        # What npm packs from git or a folder need not have the bytes of another day; the commit is its proof.
        repacked = tarball.is_relative_to(folder) and not package.origin.startswith("http")
        source = package.origin.partition(":")[0].partition("+")[0]
        await self._take(package, tarball, source, None if repacked else package.digest)

    async def _take(self, package: LockedPackage, tarball: Path, source: str, digest: bytes | None) -> None:
        shared = self._shared if not package.has_install_script else None
        try:
            size = await self._workers.unpack(tarball, digest, self._staging.part(package), shared)
        except IntegrityError as error:
            raise IntegrityError(f"{package.label} from {source}: {error.message}", hint=_HINT) from error
        self._staging.finish(package)
        self._fetched.sources[source] += 1
        self._progress.advance(source, size)

    def _do_without(self, package: LockedPackage, error: LibreseedError) -> None:
        """An optional package may be missing, as for npm; but wrong bytes end the install."""
        if not package.optional or isinstance(error, IntegrityError):
            raise error
        self._fetched.absent.add(package.location)


def _first(group: ExceptionGroup) -> Exception:
    """Return the first of the errors that happened side by side."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
