"""Clones, links or copies unpacked packages into a project, file by file: functions, and the program of a process.

The process is started by path without site-packages, and this module imports next to nothing, so that it is ready in a
few milliseconds. It reads a job a line until stdin ends: `way entry target …`, all in hex, for each package. It answers
each with a line: for each package `1` when it was there unchanged, else `0`.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from io import BufferedReader, BufferedWriter

_FICLONE = 0x40049409
_CHUNK = 1 << 20
_Put = Callable[[str, str], None]
"""Makes a file at the second path with the content of the one at the first."""


def take(entry: str, target: str, way: str) -> bool:
    """Clone, link or copy (`way`) the files of an entry of the shared folder into `target`, a new folder. Blocks.

    Returns False, with no folder left, when the entry is missing, or one of its files was written to since.
    """
    try:
        with open(f"{entry}/stamp") as file:  # noqa: PTH123 - pathlib is slow to import
            count = int(file.read())
        stamp = os.stat(f"{entry}/stamp").st_mtime_ns  # noqa: PTH116
        if _take_folder(f"{entry}/files", target, stamp, WAYS[way]) == count:
            os.utime(entry)  # the time of its last use, for `prune`
            return True
    except (OSError, ValueError):
        pass
    clear(target)
    return False


def take_all(source: str, target: str, folders: Iterable[str], files: Iterable[str], way: str) -> None:
    """Clone, link or copy (`way`) a package just unpacked in `source` into `target`, a new folder. Blocks; raises
    OSError.

    `folders` and `files` are paths below `source`, as in `modules.unpack.tarball.Contents`.
    """
    put = WAYS[way]
    for folder in folders:
        os.mkdir(f"{target}/{folder}")  # noqa: PTH102
    for file in files:
        put(f"{source}/{file}", f"{target}/{file}")


def clear(folder: str) -> None:
    """Remove a folder, if it is there, ignoring errors."""
    if os.path.lexists(folder):
        import shutil  # slow to import, and hardly ever needed

        shutil.rmtree(folder, ignore_errors=True)


def _take_folder(source: str, target: str, stamp: int, put: _Put) -> int:
    """Clone, link or copy a folder's content and return the number of files. Raises ValueError for a file that changed
    after `stamp` (nanoseconds)."""
    os.mkdir(target)  # noqa: PTH102
    count = 0
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                count += _take_folder(entry.path, place, stamp, put)
                continue
            if entry.stat(follow_symlinks=False).st_mtime_ns > stamp:
                raise ValueError(entry.path)
            put(entry.path, place)
            count += 1
    return count


def _clone(source: str, target: str) -> None:
    """Make a file that shares the blocks of another until one of them changes (ioctl_ficlone(2))."""
    import fcntl

    _make(source, target, lambda original, copy: fcntl.ioctl(copy, _FICLONE, original.fileno()))


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def _copy(source: str, target: str) -> None:
    def fill(original: BufferedReader, copy: BufferedWriter) -> None:
        while data := original.read(_CHUNK):
            copy.write(data)

    _make(source, target, fill)


def _make(source: str, target: str, fill: Callable[[BufferedReader, BufferedWriter], object]) -> None:
    with open(source, "rb") as original, open(target, "xb") as copy:  # noqa: PTH123
        fill(original, copy)
        os.fchmod(copy.fileno(), os.fstat(original.fileno()).st_mode & 0o777)


WAYS: dict[str, _Put] = {"clone": _clone, "link": _link, "copy": _copy}


def main() -> None:
    """Do the jobs on stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the install too, which ends us
    for line in sys.stdin.buffer:
        words = [os.fsdecode(bytes.fromhex(word)) for word in line.decode().split()]
        jobs = zip(words[1::3], words[2::3], words[::3], strict=True)
        print("".join("1" if take(*job) else "0" for job in jobs), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
