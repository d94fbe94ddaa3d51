"""Resolution is npm's: its own resolver writes package.json and package-lock.json, and installs nothing."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from libreseed.errors import InvalidInputError, LibreseedError, NotFoundError, UnavailableError
from libreseed.modules.files import write_whole
from libreseed.modules.project import Project
from libreseed.npm import complaints, default_registry, run_npm
from libreseed.packages.names import check_name

TIMEOUT = 900.0
_CONFIG_TIMEOUT = 60.0

_LOCK_ONLY = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
_RANGE = re.compile(r"[^:/\\\x00-\x1f]{0,256}")
_CODE = re.compile(r"^npm (?:error|ERR!) code (\S+)$", re.MULTILINE)
_NETWORK_CODES = frozenset(
    {"ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "FETCH_ERROR"}
)


def check_spec(spec: str) -> str:
    """Return `spec` when it asks for a package of the registry: `name`, `name@range` or `alias@npm:name@range`.

    Raises InvalidInputError: git, URLs and folders are not supported yet.
    """
    at = spec.find("@", 1)
    name, range_ = (spec[:at], spec[at + 1 :]) if at > 0 else (spec, "")
    check_name(name)
    if range_.startswith("npm:"):
        return f"{name}@npm:{check_spec(range_.removeprefix('npm:'))}"
    if not _RANGE.fullmatch(range_):
        raise InvalidInputError(
            f"{spec[:120]!r} does not ask for a version of a package on a registry.", hint="Write it like name@^1.2.3"
        )
    return spec


@contextmanager
def restored_on_failure(project: Project) -> Iterator[None]:
    """Put package.json and the lock file back as they were when the body raises."""
    paths = (project.manifest, project.lockfile)
    before = [_content(path) for path in paths]
    try:
        yield
    except BaseException:
        for path, content in zip(paths, before, strict=True):
            _put_back(path, content)
        raise


@contextmanager
def _kept_as_it_is(path: Path) -> Iterator[None]:
    """Undo what the body does to a file: npm records there what it did not install."""
    before = _content(path)
    try:
        yield
    finally:
        _put_back(path, before)


@contextmanager
def _without_shims_link(project: Project) -> Iterator[None]:
    """Hide our link in node_modules: without a lock file npm takes what it finds there for a dependency."""
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


async def resolve(project: Project, registry: str, specs: Sequence[str], *, timeout: float = TIMEOUT) -> None:
    """Bring package-lock.json into line with package.json and `specs` (`name`, `name@range`).

    `registry` is a URL. Raises InvalidInputError, NotFoundError, or UnavailableError: no npm, no answer from the
    registry, or not done within `timeout` seconds.
    """
    # npm is told its project by a package.json there: with --prefix it would pass over the machine's own npmrc.
    if not project.manifest.exists():
        await asyncio.to_thread(write_whole, project.manifest, b"{}\n")
    command = ["install", *_LOCK_ONLY, "--loglevel=error", "--registry", registry]
    record = project.root / "node_modules" / ".package-lock.json"
    with _kept_as_it_is(record), _without_shims_link(project):
        done = await run_npm([*command, "--", *specs], project.root, timeout=timeout)
    if done.code:
        raise explain(done.errors)
    await _make_portable(project.lockfile, registry)


def explain(errors: str) -> LibreseedError:
    """Turn what npm wrote to stderr into one error of ours."""
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
    """Make the tarball URLs that point to our registry point to npm's default one.

    npm reads the default registry's URL in a lock file as "the registry that is configured", so the project still
    installs without LibreSeed, and on a machine where it has another port.
    """
    ours = registry.rstrip("/").encode() + b"/"
    text = await asyncio.to_thread(lockfile.read_bytes)
    if b'"resolved": "' + ours not in text:
        return
    default = (await default_registry(os.environ, timeout=_CONFIG_TIMEOUT)).rstrip("/").encode() + b"/"
    text = text.replace(b'"resolved": "' + ours, b'"resolved": "' + default)
    orjson.loads(text)
    await asyncio.to_thread(write_whole, lockfile, text)
