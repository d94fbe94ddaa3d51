"""Unpacked packages that projects share, as with pnpm: by clones where the file system has them, else by hard links.

A package is unpacked once on a file system, and every project then gets its files from there, which is several times as
fast as unpacking and takes no further space. An edit of a cloned file stays in its project; one of a hard-linked file,
made in place, changes it for all. So, where hard links are used, packages with install scripts are copied; and an entry
with a file that was written to is unpacked anew for the next project. Entries unused for 30 days are removed.
"""

import os
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from libreseed.modules.unpack.linker import WAYS, clear, take, take_all
from libreseed.modules.unpack.tarball import unpack

UNUSED = 30 * 86400.0
"""Seconds after its last use at which an entry is removed."""
PRUNED_EVERY = 86400.0


@dataclass(frozen=True, slots=True)
class Shared:
    """The folder of the unpacked packages, and how files get from there into a project: "clone", "link" or "copy"."""

    folder: Path
    way: str

    @property
    def apart(self) -> "Shared":
        """The same for a package whose files must not be shared, since its install scripts may edit them: hard links
        become copies."""
        return replace(self, way="copy") if self.way == "link" else self


def open_shared(folder: Path, beside: Path) -> Shared | None:
    """Make `folder`, and find out whether its files can be cloned or hard-linked into the folder `beside`; None when
    neither is possible. Blocks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.NamedTemporaryFile(dir=folder, prefix="try") as source,
            tempfile.TemporaryDirectory(dir=beside) as target,
        ):
            for way in ("clone", "link"):
                with suppress(OSError):
                    WAYS[way](source.name, f"{target}/{way}")
                    return Shared(folder, way)
    except OSError:  # a full or read-only cache must not fail the install
        pass
    return None


def entry_of(shared: Shared, digest: bytes) -> str:
    """Return where the files of a tarball with this SHA-512 are, or would be."""
    name = digest.hex()
    return f"{shared.folder}/{name[:2]}/{name}"


def take_package(shared: Shared, tarball: str, digest: bytes, target: str) -> None:
    """Put a package into `target` by way of its entry in the shared folder, which is made if it is missing. Blocks.

    Raises as `unpack` does.
    """
    entry = entry_of(shared, digest)
    if take(entry, target, shared.way):
        return
    try:
        _make(entry, tarball, digest, target, shared.way)
    except OSError:  # a full cache must not fail the install
        clear(target)
        unpack(tarball, digest, target)


def prune(shared: Shared) -> int:
    """Remove the entries unused for 30 days, at most once a day; return their number. Blocks."""
    mark = shared.folder / "pruned"
    now = time.time()
    removed = 0
    with suppress(OSError):
        if mark.exists() and 0 <= now - mark.stat().st_mtime < PRUNED_EVERY:
            return 0
        mark.touch()
        for entry in shared.folder.glob("??/*"):
            if now - entry.stat().st_mtime > UNUSED:
                shutil.rmtree(entry, ignore_errors=True)
                removed += 1
    return removed


def _make(entry: str, tarball: str, digest: bytes, target: str, way: str) -> None:
    """Unpack a package into a new entry, which replaces a modified one, and put it into `target` from there."""
    work = f"{entry}.{secrets.token_hex(8)}"
    spoilt = f"{work}.spoilt"
    os.makedirs(work)  # noqa: PTH103 - hot path
    try:
        contents = unpack(tarball, digest, f"{work}/files")
        # The modification time of this file, by the file system's clock, is the latest that unmodified files have.
        with open(f"{work}/stamp", "w") as stamp:  # noqa: PTH123 - hot path
            stamp.write(str(len(contents.files)))
        take_all(f"{work}/files", target, contents.folders, contents.files, way)
        if os.path.lexists(entry):
            os.rename(entry, spoilt)  # noqa: PTH104
        os.rename(work, entry)  # noqa: PTH104 - hot path
    except BaseException:
        clear(work)
        raise
    clear(spoilt)
