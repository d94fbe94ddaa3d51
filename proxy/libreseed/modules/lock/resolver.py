"""Resolves dependencies by npm, which writes package.json and package-lock.json without installing anything."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from libreseed.errors import InvalidInputError, LibreseedError, NotFoundError, UnavailableError
from libreseed.modules.files import write_whole
from libreseed.modules.project import Project
from libreseed.npm import complaints, default_registry, run_npm

TIMEOUT = 900.0
"""Seconds for npm to resolve."""
_CONFIG_TIMEOUT = 60.0

_LOCK_ONLY = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
_SPEC = re.compile(r"[^-\x00-\x20][^\x00-\x1f]{0,2000}")
_CODE = re.compile(r"^npm (?:error|ERR!) code (\S+)$", re.MULTILINE)
_NETWORK_CODES = frozenset(
    {"ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "FETCH_ERROR"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of package.json before an install: npm's command (`install`, `uninstall` or `update`), its arguments,
    and its options such as `--save-dev`. `workspaces` are those to change, by name or folder, none for the project
    itself. The default only brings the lock file up to date."""

    command: str = "install"
    specs: Sequence[str] = ()
    options: Sequence[str] = ()
    workspaces: Sequence[str] = ()

    @property
    def is_wanted(self) -> bool:
        """Whether anything beyond the present package.json is asked for."""
        return self.command != "install" or bool(self.specs)


def check_spec(spec: str) -> str:
    """Return `spec` when it is safe as an argument of npm's: `name`, `name@range`, `alias@npm:name@range`, a folder,
    git, a URL.

    Raises InvalidInputError: empty, over 2001 characters, an option, or with control characters.
    """
    if not _SPEC.fullmatch(spec):
        raise InvalidInputError(f"{spec[:120]!r} does not ask for a package.", hint="Write it like name@^1.2.3")
    return spec


@contextmanager
def restored_on_failure(project: Project, *manifests: Path) -> Iterator[None]:
    """Restore package.json, the lock file and other `manifests` when the body raises."""
    paths = (project.manifest, project.lockfile, *manifests)
    before = [_content(path) for path in paths]
    try:
        yield
    except BaseException:
        for path, content in zip(paths, before, strict=True):
            _put_back(path, content)
        raise


@contextmanager
def _kept_as_it_is(path: Path) -> Iterator[None]:
    """Undo the body's changes of a file, in which npm records packages that it has not installed."""
    before = _content(path)
    try:
        yield
    finally:
        _put_back(path, before)


@contextmanager
def _without_shims_link(project: Project) -> Iterator[None]:
    """Move our link in node_modules away during the body, since npm without a lock file takes it for a dependency."""
    link = project.root / "node_modules" / "libreseed"
    if project.lockfile.exists() or not link.is_symlink():
        yield
        return
    target = link.readlink()
    link.unlink()
    try:
        yield
    finally:
        link.symlink_to(target)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif _content(path) != content:
        write_whole(path, content)


async def resolve(project: Project, registry: str, change: Change, *, timeout: float = TIMEOUT) -> None:
    """Make a change to package.json, and bring package-lock.json up to date with it.

    `registry` is a URL. Raises InvalidInputError, NotFoundError, or UnavailableError: no npm, no answer from the
    registry, or not done within `timeout` seconds.
    """
    # npm finds its project by a package.json in the folder: with --prefix it would ignore the global npmrc.
    if not project.manifest.exists():
        await asyncio.to_thread(write_whole, project.manifest, b"{}\n")
    command = [change.command, *_LOCK_ONLY, *change.options, "--loglevel=error", "--registry", registry]
    record = project.root / "node_modules" / ".package-lock.json"
    command += [f"--workspace={workspace}" for workspace in change.workspaces]
    with _kept_as_it_is(record), _without_shims_link(project):
        done = await run_npm([*command, "--", *map(check_spec, change.specs)], project.root, timeout=timeout)
    if done.code:
        raise explain(done.errors)
    await _make_portable(project.lockfile, registry)


def explain(errors: str) -> LibreseedError:
    """Return the error that npm's output on stderr describes."""
    match = _CODE.search(errors)
    code = match[1] if match else ""
    reason = "\n".join(complaints(errors)[:20]) or code or "no reason"
    message = f"npm could not resolve the dependencies: {reason}"
    if code in _NETWORK_CODES or code.startswith("E5"):
        return UnavailableError(message, hint="Is the registry running? See: libreseed status")
    if code in ("E404", "ENOVERSIONS"):
        return NotFoundError(message, hint="Check the name, or whether a node that has it can be reached.")
    return InvalidInputError(message, hint=f"npm's code for it is {code}." if code else "")


async def _make_portable(lockfile: Path, registry: str) -> None:
    """Replace this registry's URL by that of npm's default registry in the tarball URLs of a lock file.

    npm reads the default registry's URL there as "the configured registry". So the project also installs without
    LibreSeed, or where that is on another port.
    """
    ours = registry.rstrip("/").encode() + b"/"
    text = await asyncio.to_thread(lockfile.read_bytes)
    if b'"resolved": "' + ours not in text:
        return
    default = (await default_registry(os.environ, timeout=_CONFIG_TIMEOUT)).rstrip("/").encode() + b"/"
    text = text.replace(b'"resolved": "' + ours, b'"resolved": "' + default)
    orjson.loads(text)
    await asyncio.to_thread(write_whole, lockfile, text)
