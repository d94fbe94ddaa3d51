"""Takes unpacked packages into a project, file by file: as functions, and as a process that does nothing else.

The process is started by path without site-packages, and this module imports next to nothing, so that it is ready at
once; it ends with its stdin. A job a line: `way entry target …`, all in hex: for each package how and from where to
take it, and a new folder to take it to. Its outcome a line: for each package `1` if it was there as it was unpacked,
else `0`.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from io import BufferedReader, BufferedWriter

_FICLONE = 0x40049409
_CHUNK = 1 << 20
_Put = Callable[[str, str], None]
"""Makes a second file of the first one, at the second path."""


def take(entry: str, target: str, way: str) -> bool:
    """Take the files of an entry of the shared folder into `target`, a new folder. Blocks.

    `way` is "clone", "link" or "copy". Tells whether that was possible: the entry is there, and nobody has written to
    its files.
    """
    try:
        with open(f"{entry}/stamp") as file:  # noqa: PTH123 - pathlib is slow to import
            count = int(file.read())
        stamp = os.stat(f"{entry}/stamp").st_mtime_ns  # noqa: PTH116
        if _take_folder(f"{entry}/files", target, stamp, WAYS[way]) == count:
            os.utime(entry)  # it is in use
            return True
    except (OSError, ValueError):
        pass
    clear(target)
    return False


def take_all(source: str, target: str, folders: Iterable[str], files: Iterable[str], way: str) -> None:
    """Take what was just unpacked in the folder `source` into `target`, a new folder. Blocks; raises OSError.

    `folders` and `files` are paths below it, as `modules.unpack.Contents` has them; `way` is as in `take`.
    """
    put = WAYS[way]
    for folder in folders:
        os.mkdir(f"{target}/{folder}")  # noqa: PTH102
    for file in files:
        put(f"{source}/{file}", f"{target}/{file}")


def clear(folder: str) -> None:
    """Remove a folder, if it is there, as far as that is possible."""
    if os.path.lexists(folder):
        import shutil  # slow to import, and hardly ever needed

        shutil.rmtree(folder, ignore_errors=True)


def _take_folder(source: str, target: str, stamp: int, put: _Put) -> int:
    """Take what is in a folder and return how many files that was. Raises ValueError for one that is too new."""
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
    """Do what is asked until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the install too, which ends us
    for line in sys.stdin.buffer:
        words = [os.fsdecode(bytes.fromhex(word)) for word in line.decode().split()]
        jobs = zip(words[1::3], words[2::3], words[::3], strict=True)
        print("".join("1" if take(*job) else "0" for job in jobs), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
