"""A lock file that lets one process at a time write below a root."""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from libreseed.errors import StoreError


class RootLock:
    """A context manager that holds the lock of a state folder. The system releases it when the process ends.

    With `needed=False`, for those that only read, it does nothing. Entering raises StoreError when another process has
    the lock.
    """

    def __init__(self, state_dir: Path, *, needed: bool = True) -> None:
        self._dir = state_dir
        self._needed = needed
        self._file: BinaryIO | None = None

    def __enter__(self) -> "RootLock":
        if not self._needed:
            return self
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            self._file = (self._dir / "lock").open("ab")
        except OSError as error:
            raise StoreError(f"Cannot use {self._dir}: {error.strerror}.", hint="Choose another --root.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StoreError(
                f"Another LibreSeed is running on {self._dir.parent}.", hint="Stop it, or choose another --root."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
