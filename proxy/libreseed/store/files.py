"""Atomic replacement of small files, such as the trust file and key files, and folders that are nobody else's."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from libreseed.errors import StoreError
from libreseed.store.durability import sync_to_disk


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file: write it under a temporary name with the permissions `mode`, flush it, rename it (blocking).

    Raises StoreError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
            sync_to_disk(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror}.") from error


def keep_private(folder: Path) -> None:
    """Let nobody but its owner look into a folder (blocking), if the file system knows permissions."""
    with suppress(OSError):
        folder.chmod(0o700)
