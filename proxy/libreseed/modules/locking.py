"""One install at a time in a project."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from libreseed.errors import ConflictError
from libreseed.modules.files import as_store_error
from libreseed.modules.project import Project


@contextmanager
def locked(project: Project) -> Iterator[None]:
    """Hold the project's lock. Raises ConflictError when another install holds it, StoreError."""
    with as_store_error():
        project.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(project.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"Another install is at work in {project.folder}.", hint="Wait until it is done."
            ) from None
        yield
    finally:
        os.close(lock)
