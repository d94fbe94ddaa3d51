"""`libreseed install` and `ci`: resolves with npm, fetches from the registry, checks, unpacks, and swaps the new tree
in.

Install scripts run only for the packages that package.json allows.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from libreseed.errors import InvalidInputError, NotFoundError
from libreseed.modules.fetch.fetching import Progress, fetch_all
from libreseed.modules.files import as_store_error
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.lock.lockfile import Lockfile, read_lockfile
from libreseed.modules.lock.resolver import Change, resolve, restored_on_failure
from libreseed.modules.lock.selection import Selection, cached_selection, select
from libreseed.modules.locking import locked
from libreseed.modules.plan import Plan, disagreement, make_plan, out_of_step
from libreseed.modules.project import Project
from libreseed.modules.scripts.install_scripts import is_allowed, may_have_scripts, read_allowed, run_scripts
from libreseed.modules.tree.top_level import link_shims
from libreseed.modules.unpack.shared import open_shared, prune
from libreseed.modules.unpack.staging import Staging
from libreseed.modules.unpack.workers import Workers

Registry = Callable[[], AbstractAsyncContextManager[str]]
"""Opens a context that gives the URL of a registry, which answers until the context is left."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an install did: counts of packages, seconds, tarballs by source, and whose install scripts did not run.

    `packages` are in the tree, of which `fetched` are new and `continued` were unpacked by an earlier install that was
    interrupted. `left_out` are optional packages for other systems, `absent` optional ones that could not be fetched.
    `linked` are the folders, such as workspaces, that are linked as packages.
    """

    packages: int
    fetched: int
    left_out: int
    seconds: float
    sources: Mapping[str, int]
    skipped_scripts: Sequence[str]
    ran_scripts: Sequence[str] = ()
    absent: Sequence[str] = ()
    continued: int = 0
    linked: Sequence[str] = ()


async def install(
    project: Project,
    registry: Registry,
    change: Change,
    *,
    shims: Mapping[str, bytes],
    progress: Progress,
    clean: bool = False,
    omit: Collection[str] = (),
    scripts: bool = True,
    shared: Path | None = None,
) -> Summary:
    """Make the `change`, bring package-lock.json up to date with package.json, and install it into
    `.libreseed_modules`.

    With `clean` the lock file stays as it is, and every package is unpacked anew. `omit`: the kinds of packages to
    leave out, "dev", "optional" and "peer". `scripts`: run the install scripts that are allowed. `shared`: the folder
    of unpacked packages that projects share, None for none. `shims`: the files of the npm package `libreseed`.

    Raises LibreseedError of many kinds; except by a failed script, the tree stays as it was then.
    """
    started = time.monotonic()
    with locked(project):
        async with AsyncExitStack() as stack:
            opened = _LazyRegistry(registry, stack)
            staging = Staging(project.folder / ".staging")
            # Runs when the workers have ended: packages that were linked before the node refused them must not stay.
            stack.push_async_callback(asyncio.to_thread, staging.drop_parts)
            workers = await stack.enter_async_context(Workers())
            if clean and shared is not None:
                workers.expect_links()
            selection = await _settle(
                project, registry=opened, change=change, omit=omit, stack=stack, progress=progress, clean=clean
            )
            plan = make_plan(project, selection, shims)
            done = await _bring_up_to_date(
                project,
                plan=plan,
                registry=opened,
                staging=staging,
                progress=progress,
                workers=workers,
                shared=shared,
                clean=clean,
            )
            await asyncio.to_thread(link_shims, project)
        # The new tree stays in place when a script fails.
        ran, skipped = await _run_scripts(project, plan, progress) if scripts else ([], _with_scripts(plan))
    return Summary(
        packages=len(plan.packages),
        fetched=done.sources.total(),
        left_out=plan.left_out,
        seconds=time.monotonic() - started,
        sources=dict(done.sources),
        skipped_scripts=sorted({package.label for package in skipped}),
        ran_scripts=sorted({package.label for package in ran}),
        absent=sorted(done.absent),
        continued=done.continued,
        linked=sorted({package.origin for package in plan.packages if package.kind == "link"}),
    )


class _LazyRegistry:
    """A registry that is opened when its URL is first needed, and closed by the stack."""

    def __init__(self, registry: Registry, stack: AsyncExitStack) -> None:
        self._registry = registry
        self._stack = stack
        self._url: str | None = None

    async def url(self) -> str:
        if self._url is None:
            self._url = await self._stack.enter_async_context(self._registry())
        return self._url


async def _settle(
    project: Project,
    registry: _LazyRegistry,
    change: Change,
    *,
    omit: Collection[str],
    stack: AsyncExitStack,
    progress: Progress,
    clean: bool,
) -> Selection:
    """Bring the lock file up to date, unless `clean`, and return the packages to install. When the install fails, the
    stack restores package.json and the lock file."""
    manifest = project.read_manifest() if not clean and not change.specs else {}
    # The lock file does not record by which workspaces and overrides it was made: with these npm must always resolve.
    comparable = not manifest.get("workspaces") and not manifest.get("overrides")
    if clean or (comparable and not change.is_wanted):
        kept = await cached_selection(project, omit)
        if kept is not None and disagreement(project, kept.asked) is None:
            return kept
    before = await asyncio.to_thread(_read, project)
    if clean:
        if before is None:
            raise NotFoundError(f"There is no package-lock.json in {project.root}.", hint="Make it: libreseed install")
        if (problem := out_of_step(project, before)) is not None:
            raise InvalidInputError(problem, hint="Bring the lock file up to date: libreseed install")
        return await select(before, omit)
    if before is not None and not change.is_wanted and comparable and out_of_step(project, before) is None:
        return await select(before, omit)
    folders = before.asked if before is not None else ()
    stack.enter_context(restored_on_failure(project, *(Project(project.root / each).manifest for each in folders)))
    progress.stage("Resolving")
    await resolve(project, await registry.url(), change)
    after = await asyncio.to_thread(_read, project)
    if after is None:
        raise InvalidInputError("npm wrote no package-lock.json.", hint="Does .npmrc turn it off?")
    return await select(after, omit)


def _read(project: Project) -> Lockfile | None:
    try:
        return read_lockfile(project.lockfile.read_bytes())
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class _Done:
    sources: Counter[str]
    absent: Collection[str] = ()
    continued: int = 0


async def _bring_up_to_date(
    project: Project,
    plan: Plan,
    registry: _LazyRegistry,
    *,
    staging: Staging,
    progress: Progress,
    workers: Workers,
    shared: Path | None,
    clean: bool,
) -> _Done:
    with as_store_error():
        if not clean and await asyncio.to_thread(lambda: all(tree.is_current() for tree in plan.trees)):
            for tree in plan.trees:
                await asyncio.to_thread(tree.refresh)
            return _Done(Counter())
        await asyncio.to_thread(staging.open)
        reused = set().union(*(tree.reusable() for tree in plan.trees)) if not clean else set()
        wanted = [each for each in plan.packages if each.kind in ("registry", "packed") and each.location not in reused]
        missing = staging.missing(wanted)
        done = _Done(Counter(), (), len(wanted) - len(missing))
        if missing:
            progress.stage("Fetching", len(missing))
            sharing = await asyncio.to_thread(open_shared, shared, project.folder) if shared is not None else None
            url = await registry.url()
            fetched = await fetch_all(
                missing, url=url, root=project.root, staging=staging, progress=progress, workers=workers, shared=sharing
            )
            if sharing is not None:
                await asyncio.to_thread(prune, sharing)
            done = _Done(fetched.sources, fetched.absent, done.continued)
        progress.stage("Linking")
        fresh = {package.location: staging.place(package) for package in wanted if package.location not in done.absent}
        await asyncio.to_thread(_replace, plan, staging, fresh, reused, done.absent)
    return done


def _replace(
    plan: Plan, staging: Staging, fresh: Mapping[str, str], reused: Collection[str], absent: Collection[str]
) -> None:
    try:
        staged = []
        for number, tree in enumerate(plan.trees):
            tree.leave_out(absent)
            staged.append(staging.tree(number))
            tree.build(staged[-1], fresh, reused)
        for tree, folder in zip(plan.trees, staged, strict=True):
            tree.swap(folder)
    finally:
        staging.clear()


def _with_scripts(plan: Plan) -> list[LockedPackage]:
    return [package for package in plan.packages if may_have_scripts(package)]


async def _run_scripts(
    project: Project, plan: Plan, progress: Progress
) -> tuple[list[LockedPackage], list[LockedPackage]]:
    """Run the allowed install scripts that have not run in this tree. Return the packages whose scripts ran, and those
    whose scripts are not allowed."""
    allowed = read_allowed(project.read_manifest()) if project.manifest.is_file() else {}
    skipped = [package for package in _with_scripts(plan) if not is_allowed(package, allowed)]
    ran = []
    for tree in plan.trees:
        mine = [each for each in tree.packages if may_have_scripts(each) and is_allowed(each, allowed)]
        if pending := await asyncio.to_thread(tree.unbuilt, mine):
            progress.stage("Running install scripts", len(pending))
            await run_scripts(tree.folder, pending)
            await asyncio.to_thread(tree.note_built, pending)
            ran += pending
    return ran, skipped
