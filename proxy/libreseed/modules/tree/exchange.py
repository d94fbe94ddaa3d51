"""Exchanges two folders, in one step where the system can."""

import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(new: Path, current: Path) -> None:
    """Exchange the folders `new` and `current`; the latter may be missing.

    On Linux that is one system call (renameat2(2) with RENAME_EXCHANGE), so that `current` exists at every moment;
    elsewhere two renames, of which the first is undone when the second fails. Raises OSError.
    """
    if not current.exists():
        new.rename(current)
    elif not _exchange_at_once(new, current):
        aside = new.with_name(f"{new.name}.previous")
        current.rename(aside)
        try:
            new.rename(current)
        except OSError:
            aside.rename(current)
            raise
        aside.rename(new)


def _exchange_at_once(new: Path, current: Path) -> bool:
    if sys.platform != "linux":
        return False
    import ctypes  # slow to import, and a first install swaps nothing

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(current), _RENAME_EXCHANGE)
    return bool(done == 0)
