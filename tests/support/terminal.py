"""A program at a terminal, whose questions are answered."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECONDS = 120


def converse(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], dialogue: Sequence[tuple[str, str]]
) -> tuple[int, str]:
    """Run a command at a terminal; return its exit code and all that it showed.

    `dialogue`: questions in order, a part of each, and what is typed then.
    """
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    finally:
        os.close(theirs)
    shown, read = "", 0
    waiting = list(dialogue)
    end = time.monotonic() + _SECONDS
    try:
        while chunk := _read(ours, end):
            shown += chunk
            while waiting and (at := shown.lower().find(waiting[0][0].lower(), read)) >= 0:
                question, answer = waiting.pop(0)
                read = at + len(question)
                os.write(ours, f"{answer}\r".encode())
        return process.wait(_SECONDS), shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int, end: float) -> str:
    """Return what is shown next, "" at the end."""
    ready, _, _ = select.select([terminal], [], [], max(end - time.monotonic(), 0))
    assert ready, "nothing was shown for too long"
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # EIO: the program has closed its side
        return ""
