"""The processes that unpack tarballs side by side; threads would keep each other, and the downloads, waiting."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.modules import unpack as here

MAX_WORKERS = 8
_PROGRAM = Path(here.__file__).with_name("unpacker.py")


class Workers:
    """As many processes as there are processors, at most 8. An asynchronous context manager that ends them all."""

    def __init__(self, jobs: int) -> None:
        """`jobs` is how many there will be at most: no more processes are started."""
        self._count = max(1, min(os.cpu_count() or 1, MAX_WORKERS, jobs))
        self._processes: list[Process] = []
        self._free: asyncio.Queue[Process] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        # -S and -E: no site-packages, nothing of the user's; -X utf8: paths are what they are in the install.
        command = (sys.executable, "-S", "-E", "-X", "utf8", str(_PROGRAM))
        try:
            for _ in range(self._count):
                process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
                self._processes.append(process)
                self._free.put_nowait(process)
        except OSError as error:
            await self._end()
            raise UnavailableError(f"A process to unpack with could not be started: {error.strerror}.") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def unpack(self, tarball: Path, digest: bytes | None, target: Path, shared: Path | None = None) -> int:
        """Check a tarball, unpack it to `target` and return its size in bytes; with `shared`, by links to the files
        that are there (`modules.shared`).

        Raises IntegrityError as `modules.unpack` does, StoreError, UnavailableError.
        """
        process = await self._free.get()
        try:
            job = {"tarball": str(tarball), "digest": (digest or b"").hex(), "target": str(target)}
            outcome = await _ask(process, {**job, "shared": str(shared or "")})
        finally:
            self._free.put_nowait(process)
        if "refused" in outcome:
            raise IntegrityError(outcome["refused"])
        if "failed" in outcome:
            raise StoreError(f"The disk refused: {outcome['failed']}.", hint="Check free space and permissions.")
        return int(outcome["size"])

    async def _end(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in self._processes))


async def _ask(process: Process, job: dict[str, str]) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - made with pipes
    with suppress(ConnectionError):
        process.stdin.write(json.dumps(job).encode() + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise UnavailableError("A process that unpacks has ended.", hint="Is there enough memory? Try again.")
    outcome: dict[str, Any] = json.loads(line)
    return outcome
