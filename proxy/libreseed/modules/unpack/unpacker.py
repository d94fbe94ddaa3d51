"""The program of a process that unpacks tarballs: a job a line on stdin, its outcome a line on stdout, both JSON.

It is started by path without site-packages, so that it is ready in a few milliseconds. It ends when stdin does.
"""

import json
import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from libreseed.errors import LibreseedError
from libreseed.modules.unpack.shared import Shared, take_package
from libreseed.modules.unpack.tarball import unpack


def main() -> None:
    """Do the jobs on stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the install too, which ends us
    for line in sys.stdin:
        print(json.dumps(_outcome(json.loads(line))), flush=True)  # noqa: T201


def _outcome(job: dict[str, str]) -> dict[str, object]:
    digest = bytes.fromhex(job["digest"]) or None
    try:
        tarball, target = job["tarball"], job["target"]
        if job["way"] and digest is not None:
            take_package(Shared(Path(job["shared"]), job["way"]), tarball, digest, target)
        else:
            unpack(tarball, digest, target)
        return {"size": os.stat(tarball).st_size}  # noqa: PTH116
    except LibreseedError as error:
        return {"refused": error.message}
    except OSError as error:
        return {"failed": str(error)}


if __name__ == "__main__":
    main()
