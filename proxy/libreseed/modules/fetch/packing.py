"""Packages that come from no registry: npm packs them from git, a folder, a file or a URL, and runs no script."""

import asyncio
import json
from pathlib import Path

from libreseed.errors import UnavailableError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.npm import complaints, run_npm

TIMEOUT = 600.0
"""Seconds for `npm pack`."""


async def pack(package: LockedPackage, root: Path, folder: Path, *, timeout: float = TIMEOUT) -> Path:
    """Pack the package that `origin` names into a new `folder`, and return the unchecked tarball. When `origin` is a
    tarball in the project, that is returned itself.

    `root` is the project's folder, which relative paths start from. Raises UnavailableError.
    """
    command = ["pack", "--json", "--ignore-scripts", "--loglevel=error", f"--pack-destination={folder}"]
    own = root / package.origin.removeprefix("file:")
    if package.origin.startswith("file:") and await asyncio.to_thread(own.is_file):
        return own
    await asyncio.to_thread(folder.mkdir, parents=True)
    done = await run_npm([*command, "--", package.origin], root, timeout=timeout)
    if done.code:
        reason = "\n".join(complaints(done.errors)[:20]) or f"npm ended with {done.code}"
        raise UnavailableError(f"{package.label} could not be fetched from {package.origin}: {reason}")
    try:
        (packed,) = json.loads(done.output)
        tarball = folder / Path(packed["filename"]).name
    except (ValueError, TypeError, KeyError):
        tarball = folder / "none"
    if not await asyncio.to_thread(tarball.is_file):
        raise UnavailableError(f"{package.label} could not be fetched from {package.origin}: npm packed nothing.")
    return tarball
