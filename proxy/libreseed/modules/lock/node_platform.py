"""The platform and version of the Node on the PATH."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from libreseed.caching import identity, keep, recall
from libreseed.errors import UnavailableError
from libreseed.npm import find_command
from libreseed.processes import run

PROBE_TIMEOUT = 20.0

_SMALLEST = 16 << 20
"""Bytes. A smaller `node` may be a version manager's shim, which starts another Node depending on the folder."""
_PROBE = """
process.report.excludeNetwork = true;
const linux = process.platform === 'linux';
const report = linux ? process.report.getReport() : {};
const musl = linux && report.sharedObjects.some((file) => /libc\\.musl-|ld-musl-/.test(file));
const libc = linux && report.header.glibcVersionRuntime ? 'glibc' : musl ? 'musl' : '';
JSON.stringify({ os: process.platform, cpu: process.arch, libc, node: process.version.slice(1) });
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """What Node says of itself: `process.platform`, `process.arch`, glibc or musl or "", and its version."""

    os: str
    cpu: str
    libc: str
    node: str


async def detect_platform(cache: Path, *, timeout: float = PROBE_TIMEOUT) -> Platform:
    """Ask the `node` on the PATH, which may be of another architecture than this process. Its answer is cached in the
    file `cache` until the program changes.

    Raises UnavailableError: no Node, or no answer within `timeout` seconds.
    """
    node = find_command("node")
    key = await asyncio.to_thread(_identity, node)
    try:
        if key is not None and (kept := await asyncio.to_thread(recall, cache, key)) is not None:
            return Platform(**kept)
        done = await run([node, "-p", _PROBE], timeout=timeout)
        platform = Platform(**orjson.loads(done.output))
    except (ValueError, TypeError):
        raise UnavailableError(
            "Node.js did not start properly.", hint="See what `node -p process.arch` says."
        ) from None
    if key is not None:
        await asyncio.to_thread(keep, cache, key, asdict(platform))
    return platform


def _identity(node: str) -> tuple[str, int, int] | None:
    """Return path, modification time and size of the program, None where these do not identify it."""
    found = identity(Path(node).resolve())
    return found if found[2] >= _SMALLEST else None
