"""Processes that unpack and link in parallel; threads would share Python's global lock with the downloads."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from libreseed.errors import IntegrityError, StoreError, UnavailableError
from libreseed.modules.unpack.shared import Shared

MAX_WORKERS = 8
AHEAD = 2
"""Jobs that a process has at a time, so that it need not wait while the outcome of one is handled."""

_PROGRAMS = Path(__file__).parent


class Link(NamedTuple):
    """A job of `modules.unpack.linker`: the way, the entry of the shared folder, and the new folder for the package."""

    way: str
    entry: str
    target: str


class Workers:
    """The processes that unpack, and those that link: an asynchronous context manager that ends them all."""

    def __init__(self) -> None:
        self._unpackers = Pool(_PROGRAMS / "unpacker.py")
        self._linkers = Pool(_PROGRAMS / "linker.py")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(self._unpackers.close(), self._linkers.close())

    def expect_links(self) -> None:
        """Start the processes that link, so that they are ready when they are needed."""
        self._linkers.start()

    async def unpack(self, tarball: Path, digest: bytes | None, target: str, shared: Shared | None = None) -> int:
        """Check a tarball, unpack it to `target` and return its size in bytes; with `shared`, by way of the shared
        folder.

        Raises IntegrityError as `modules.unpack.tarball.unpack` does, StoreError, UnavailableError.
        """
        job = {"tarball": str(tarball), "digest": (digest or b"").hex(), "target": target}
        way = {"shared": str(shared.folder), "way": shared.way} if shared is not None else {"way": ""}
        outcome = orjson.loads(await self._unpackers.ask(orjson.dumps({**job, **way})))
        if "refused" in outcome:
            raise IntegrityError(outcome["refused"])
        if "failed" in outcome:
            raise StoreError(f"The disk refused: {outcome['failed']}.", hint="Check free space and permissions.")
        return int(outcome["size"])

    async def link(self, links: Sequence[Link]) -> list[bool]:
        """Link packages from the shared folder, and return for each whether it was there unchanged.

        Raises UnavailableError when a process has ended.
        """
        words = (os.fsencode(word).hex() for link in links for word in link)
        outcome = await self._linkers.ask(" ".join(words).encode())
        return [taken == ord("1") for taken in outcome.strip()]


class Pool:
    """Processes of one program, as many as there are processors but at most 8, started when they are first needed."""

    def __init__(self, program: Path) -> None:
        """`program` is a file of Python that needs no site-packages to start."""
        self._program = program
        self._count = min(os.cpu_count() or 1, MAX_WORKERS)
        self._workers: list[_Worker] = []
        self._free: asyncio.Queue[_Worker] = asyncio.Queue()
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        """Start the processes, unless that was done. The task raises UnavailableError when one could not be started."""
        self._starting = self._starting or asyncio.create_task(self._start())
        return self._starting

    async def ask(self, line: bytes) -> bytes:
        """Send a line to one of the processes, and return its answer. Raises UnavailableError: it has ended, or none
        could be started."""
        await asyncio.shield(self.start())
        worker = await self._free.get()
        try:
            answer = await worker.ask(line)
        finally:
            self._free.put_nowait(worker)
        if not answer:
            raise UnavailableError("A process of the install has ended.", hint="Is there enough memory? Try again.")
        return answer

    async def close(self) -> None:
        """End all processes."""
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)  # raised in `ask` already
        await asyncio.gather(*(worker.end() for worker in self._workers))

    async def _start(self) -> None:
        # -S: no site-packages; -E: none of Python's variables; -X utf8: paths are decoded as in the install.
        command = (sys.executable, "-S", "-E", "-X", "utf8", str(self._program))
        try:
            for _ in range(self._count):
                process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
                self._workers.append(_Worker(process))
        except OSError as error:
            raise UnavailableError(f"A process of the install could not be started: {error.strerror}.") from error
        for worker in self._workers * AHEAD:
            self._free.put_nowait(worker)


class _Worker:
    """One process, which answers in the order of its jobs."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    async def ask(self, line: bytes) -> bytes:
        """Return its answer to a line, b"" when it has ended."""
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe
        if self._ended:
            return b""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._process.stdin.write(line + b"\n")
        return await answer

    async def end(self) -> None:
        """Kill the process, and wait for its end."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - made with a pipe
        while line := await self._process.stdout.readline():
            _settle(self._waiting.popleft(), line)
        self._ended = True
        for answer in self._waiting:
            _settle(answer, b"")


def _settle(future: "asyncio.Future[bytes]", line: bytes) -> None:
    if not future.done():
        future.set_result(line)
