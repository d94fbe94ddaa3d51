"""`libreseed install`: resolve with npm, fetch from the registry, check, unpack, swap the new tree in.

Install scripts are never run.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from libreseed.errors import IntegrityError, InvalidInputError
from libreseed.modules.download import RegistryClient
from libreseed.modules.lockfile import LockedPackage, Lockfile, read_lockfile
from libreseed.modules.platforms import detect_platform, unsuitable
from libreseed.modules.project import Project
from libreseed.modules.resolver import check_spec, resolve, restored_on_failure
from libreseed.modules.tree import Fresh, Tree, link_shims
from libreseed.modules.unpack import unpack

MANY = 32
"""From so many packages on, processes to unpack them are worth their start."""

_HINT = "What was there before stays. Look at the entry in package-lock.json, and at: libreseed doctor"


class Progress(Protocol):
    """What an install tells while it works."""

    def stage(self, text: str, total: int = 0) -> None:
        """A new stage begins, with `total` packages to do."""

    def advance(self) -> None:
        """One more package is done."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an install did: counts of packages, seconds, tarballs by source, and whose install scripts were not run.

    `packages` are in the tree, `fetched` of them new; `left_out` are optional ones for other systems.
    """

    packages: int
    fetched: int
    left_out: int
    seconds: float
    sources: Mapping[str, int]
    skipped_scripts: Sequence[str]


async def install(
    project: Project,
    registry: str,
    specs: Sequence[str],
    *,
    shims: Mapping[str, bytes],
    progress: Progress,
) -> Summary:
    """Bring `.libreseed_modules` into line with package.json and `specs`, and the lock file with both.

    `registry` is a URL; `shims` the files of the npm package `libreseed`. Raises LibreseedError of many kinds; the tree
    that was there before stays then.
    """
    started = time.monotonic()
    for spec in specs:
        check_spec(spec)
    if not specs:
        project.read_manifest()
    async with RegistryClient(registry) as client:
        await client.status()
        with Tree(project, shims).locked() as tree, restored_on_failure(project):
            progress.stage("Resolving")
            await resolve(project, client.url, specs)
            lockfile = await asyncio.to_thread(_read, project)
            left_out = unsuitable(lockfile, await detect_platform())
            packages = [package for location, package in lockfile.packages.items() if location not in left_out]
            changed = await _bring_up_to_date(tree, packages, client, progress)
            await asyncio.to_thread(link_shims, project)
    return Summary(
        packages=len(packages),
        fetched=changed.total(),
        left_out=len(left_out),
        seconds=time.monotonic() - started,
        sources=dict(changed),
        skipped_scripts=sorted(f"{p.name}@{p.version}" for p in packages if p.has_install_script),
    )


async def _bring_up_to_date(
    tree: Tree, packages: Sequence[LockedPackage], client: RegistryClient, progress: Progress
) -> Counter[str]:
    """Return how many tarballs came from which source."""
    if await asyncio.to_thread(tree.is_current, packages):
        await asyncio.to_thread(tree.refresh)
        return Counter()
    reused = await asyncio.to_thread(tree.reusable, packages)
    wanted = [package for package in packages if package.location not in reused and not package.in_bundle]
    staging = await asyncio.to_thread(tree.prepare)
    try:
        progress.stage("Fetching", len(wanted))
        sources: Counter[str] = Counter()
        fresh: dict[str, Fresh] = {}

        async def get(package: LockedPackage, work: Path) -> None:
            source, fresh[package.location] = await _fetch(client, package, work, workers)
            sources[source] += 1
            progress.advance()

        with _workers(len(wanted)) as workers:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for number, package in enumerate(wanted):
                        tasks.create_task(get(package, staging / str(number)))
            except ExceptionGroup as group:
                raise _first(group) from group
        progress.stage("Linking")
        await asyncio.to_thread(tree.replace, packages, fresh, reused)
        return sources
    finally:
        await asyncio.to_thread(tree.clear)


async def _fetch(client: RegistryClient, package: LockedPackage, work: Path, workers: Executor) -> tuple[str, Fresh]:
    """Fetch a package and unpack it to `work`. Raises IntegrityError, and as `download` does."""
    assert package.digest is not None  # noqa: S101 - a lock file entry without it is refused
    tarball = work.with_suffix(".tgz")
    source = await client.download(package, tarball)
    try:
        unpacked = await asyncio.get_running_loop().run_in_executor(workers, unpack, tarball, package.digest, work)
    except IntegrityError as error:
        raise IntegrityError(f"{package.name}@{package.version} from {source}: {error.message}", hint=_HINT) from error
    await asyncio.to_thread(tarball.unlink)
    return source, Fresh(work, unpacked.has_modules)


@contextmanager
def _workers(packages: int) -> Iterator[Executor]:
    """Give what unpacks: processes for many packages, because threads would keep the downloads from the interpreter."""
    if packages < MANY:
        workers: Executor = ThreadPoolExecutor(os.cpu_count())
    else:
        context = multiprocessing.get_context("spawn")
        no_interrupt = (signal.SIGINT, signal.SIG_IGN)  # this process gets it too, and ends them
        workers = ProcessPoolExecutor(os.cpu_count(), context, initializer=signal.signal, initargs=no_interrupt)
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


def _first(group: ExceptionGroup) -> Exception:
    """Return the first of the errors that happened side by side."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _read(project: Project) -> Lockfile:
    try:
        return read_lockfile(project.lockfile.read_bytes())
    except FileNotFoundError:
        raise InvalidInputError("npm wrote no package-lock.json.", hint="Does .npmrc turn it off?") from None
