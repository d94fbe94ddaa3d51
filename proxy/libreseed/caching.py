"""Small results that are slow to come by, kept in the user's cache folder from one command to the next."""

import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from libreseed.errors import StoreError
from libreseed.store.files import write_atomically


def is_recent(moment: float, seconds: float) -> bool:
    """Tell whether a moment, in seconds since the epoch, was less than so many seconds ago. One in the future was not:
    the clock was ahead when it was noted."""
    return 0 <= time.time() - moment < seconds


def recall(file: Path, key: Hashable) -> Any:
    """Return what was kept in `file` under this very key, else None. Blocks."""
    try:
        kept = orjson.loads(file.read_bytes())
        return kept["value"] if kept["key"] == repr(key) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(file: Path, key: Hashable, value: Any) -> None:
    """Keep a JSON value in `file`, in the place of what was there. Blocks.

    A cache that cannot be written stays empty.
    """
    with suppress(StoreError):
        write_atomically(file, orjson.dumps({"key": repr(key), "value": value}))


def drop_old(folder: Path, seconds: float) -> None:
    """Remove what was kept in a folder's files longer ago than that. Blocks."""
    before = time.time() - seconds
    with suppress(OSError):
        for file in folder.iterdir():
            if file.stat().st_mtime < before:
                file.unlink()


def identity(file: Path) -> tuple[str, int, int]:
    """Return what differs when a file does: its path, time of change and size. Blocks; raises OSError."""
    found = file.stat()
    return str(file), found.st_mtime_ns, found.st_size
