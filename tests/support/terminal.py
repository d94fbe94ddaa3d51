"""A program in a terminal, as a person uses it: what it asks is waited for, and then answered."""

import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT = 240.0

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs a command in a pseudo-terminal; `text` is what it has printed, without colours."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._end = time.monotonic() + TIMEOUT
        self._seen = 0
        self._output = b""
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self._output.decode(errors="replace"))

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Wait until it prints what matches, after what was waited for last."""
        match = self.find(pattern)
        assert match is not None, f"{pattern!r} was not printed:\n{self.text}"
        return match

    def find(self, pattern: str) -> "re.Match[str] | None":
        """Wait as `wait_for` does; None when it ends before."""
        while (match := re.compile(pattern).search(self.text, self._seen)) is None:
            if not self._read():
                return None
        self._seen = match.end()
        return match

    def answer(self, question: str, line: str) -> None:
        """Wait for a question and type a line."""
        self.wait_for(question)
        self.type(line)

    def type(self, line: str) -> None:
        """Type a line, once the terminal echoes nothing: programs that ask turn that off themselves, some only after
        they have printed the question, and drop what was typed before."""
        while termios.tcgetattr(self._ours)[3] & termios.ECHO:
            if self._prints(within=0.01):
                assert self._read(), f"It ended without reading an answer:\n{self.text}"
        os.write(self._ours, line.encode() + b"\r")

    def finish(self) -> int:
        """Wait until it ends, and return its exit code."""
        while self._read():
            pass
        return self._process.wait(TIMEOUT)

    def _prints(self, within: float) -> bool:
        left = self._end - time.monotonic()
        assert left > 0, f"It takes too long:\n{self.text}"
        return bool(select.select([self._ours], [], [], min(left, within))[0])

    def _read(self) -> bool:
        while not self._prints(within=TIMEOUT):
            pass
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the program has closed its side
            return False
        self._output += data
        return bool(data)
