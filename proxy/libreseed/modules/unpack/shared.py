"""Unpacked packages that projects share, as pnpm does: by clones where the file system has them, else by hard links.

A package is unpacked once on a file system, and every project then gets its files from there. That is several times as
fast as unpacking, and takes no further space. Clones are files of their own; but what edits a hard-linked file in place
edits it for all projects. So packages with install scripts are copied then, and an entry with a file that was written
to since is made anew: later projects get what was checked. Entries that nobody has installed from for 30 days go.
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
"""Seconds after which an entry is removed that nothing was installed from."""
PRUNED_EVERY = 86400.0


@dataclass(frozen=True, slots=True)
class Shared:
    """The folder of the unpacked packages, and how files get from there into a project: "clone", "link" or "copy"."""

    folder: Path
    way: str

    @property
    def apart(self) -> "Shared":
        """The same, for a package whose files are not to be those of another project: something may edit them."""
        return replace(self, way="copy") if self.way == "link" else self


def open_shared(folder: Path, beside: Path) -> Shared | None:
    """Find out how files of `folder`, which is made, can be had in the folder `beside`. None: not at all. Blocks."""
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
    except OSError:  # a full or read-only cache is no reason to fail
        pass
    return None


def entry_of(shared: Shared, digest: bytes) -> str:
    """Return where the files of a tarball with this SHA-512 are, or would be."""
    name = digest.hex()
    return f"{shared.folder}/{name[:2]}/{name}"


def take_package(shared: Shared, tarball: str, digest: bytes, target: str) -> None:
    """Put a package into `target`, from its files in the shared folder where the system can. Blocks.

    Raises as `unpack` does.
    """
    entry = entry_of(shared, digest)
    if take(entry, target, shared.way):
        return
    try:
        _make(entry, tarball, digest, target, shared.way)
    except OSError:  # a full cache is no reason to fail
        clear(target)
        unpack(tarball, digest, target)


def prune(shared: Shared) -> int:
    """Remove the entries that were not used for long, once a day; return how many. Blocks."""
    mark = shared.folder / "pruned"
    now = time.time()
    removed = 0
    with suppress(OSError):
        if mark.exists() and now - mark.stat().st_mtime < PRUNED_EVERY:
            return 0
        mark.touch()
        for entry in shared.folder.glob("??/*"):
            if now - entry.stat().st_mtime > UNUSED:
                shutil.rmtree(entry, ignore_errors=True)
                removed += 1
    return removed


def _make(entry: str, tarball: str, digest: bytes, target: str, way: str) -> None:
    """Unpack a package into a new entry, which replaces a spoilt one, and into `target` from there."""
    work = f"{entry}.{secrets.token_hex(8)}"
    spoilt = f"{work}.spoilt"
    os.makedirs(work)  # noqa: PTH103 - hot path
    try:
        contents = unpack(tarball, digest, f"{work}/files")
        # The file's own time is the last that is not too late, by the same clock as that of the others.
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
