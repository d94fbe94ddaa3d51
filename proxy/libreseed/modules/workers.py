"""The processes that unpack tarballs side by side; threads would keep each other, and the downloads, waiting."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.modules import unpack as here
from libreseed.modules.shared import Shared

MAX_WORKERS = 8
AHEAD = 2
"""Jobs that a process has at a time: it goes on with one while the outcome of the other is taken."""

_PROGRAM = Path(here.__file__).with_name("unpacker.py")
_ENDED = {"ended": True}


class Workers:
    """As many processes as there are processors, at most 8. An asynchronous context manager that ends them all."""

    def __init__(self, jobs: int) -> None:
        """`jobs` is how many there will be at most: no more processes are started."""
        self._count = max(1, min(os.cpu_count() or 1, MAX_WORKERS, jobs))
        self._workers: list[_Worker] = []
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        # -S and -E: no site-packages, nothing of the user's; -X utf8: paths are what they are in the install.
        command = (sys.executable, "-S", "-E", "-X", "utf8", str(_PROGRAM))
        try:
            for _ in range(self._count):
                process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
                self._workers.append(_Worker(process))
        except OSError as error:
            await self._end()
            raise UnavailableError(f"A process to unpack with could not be started: {error.strerror}.") from error
        for worker in self._workers * AHEAD:
            self._free.put_nowait(worker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def unpack(self, tarball: Path, digest: bytes | None, target: Path, shared: Shared | None = None) -> int:
        """Check a tarball, unpack it to `target` and return its size in bytes; with `shared`, from the files
        that are there.

        Raises IntegrityError as `modules.unpack` does, StoreError, UnavailableError.
        """
        worker = await self._free.get()
        try:
            job = {"tarball": str(tarball), "digest": (digest or b"").hex(), "target": str(target)}
            way = {"shared": str(shared.folder), "way": shared.way} if shared is not None else {"way": ""}
            outcome = await worker.ask({**job, **way})
        finally:
            self._free.put_nowait(worker)
        if "refused" in outcome:
            raise IntegrityError(outcome["refused"])
        if "failed" in outcome:
            raise StoreError(f"The disk refused: {outcome['failed']}.", hint="Check free space and permissions.")
        if "ended" in outcome:
            raise UnavailableError("A process that unpacks has ended.", hint="Is there enough memory? Try again.")
        return int(outcome["size"])

    async def _end(self) -> None:
        await asyncio.gather(*(worker.end() for worker in self._workers))


class _Worker:
    """One process. It answers in the order in which it is asked."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    async def ask(self, job: dict[str, str]) -> dict[str, Any]:
        """Return the outcome of a job."""
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe
        if self._ended:
            return _ENDED
        outcome: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        return await outcome

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - made with a pipe
        while line := await self._process.stdout.readline():
            _settle(self._waiting.popleft(), json.loads(line))
        self._ended = True
        for outcome in self._waiting:
            _settle(outcome, _ENDED)


def _settle(outcome: "asyncio.Future[dict[str, Any]]", result: dict[str, Any]) -> None:
    if not outcome.done():
        outcome.set_result(result)
