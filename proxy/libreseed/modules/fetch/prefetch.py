"""Requests all tarballs of a lock file from a node at once; the node reports each as soon as it has it
(`registry.packages.prefetch`).

A node on this machine names its store, so that the tarballs are read from there instead of being sent. They are checked
like all others.
"""

import asyncio
import http.client
import os
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from libreseed.errors import LibreseedError, NotFoundError, UnavailableError
from libreseed.modules.fetch.probe import connect
from libreseed.modules.lock.entry import LockedPackage

PATH = "/-/libreseed/prefetch"
TIMEOUT = 300.0
"""Seconds without a report from the node after which the request fails."""

_GONE = frozenset({400, 401, 403, 404})

_Item = bytes | LibreseedError | None
"""A line of the answer, the error that it ended with, or None at its end."""
_Put = Callable[[_Item], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """The node's report of one tarball: its source, and the folder of the node's store if it is on this machine; or the
    error for which it cannot be had."""

    package: LockedPackage
    source: str = ""
    store: str = ""
    error: LibreseedError | None = None

    def find_file(self) -> Path | None:
        """Return the tarball's file in the node's store, None when it cannot be read. Blocks."""
        if not self.store or self.package.digest is None:
            return None
        name = self.package.digest.hex()
        place = Path(self.store, name[:2], name)
        return place if os.access(place, os.R_OK) else None


async def prefetch(
    url: str, packages: Sequence[LockedPackage], headers: Mapping[str, str] | None = None
) -> AsyncGenerator[list[Arrival], None]:
    """Yield the node's reports of the packages' tarballs, each time all that have arrived since; none when the registry
    at `url` is no LibreSeed node.

    `headers` are sent with the request, such as `Authorization`. Raises UnavailableError: no answer, or an incomplete
    one.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[_Item] = asyncio.Queue()

    def put(item: _Item) -> None:
        with suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    connection = connect(url, timeout=TIMEOUT)
    reading = asyncio.create_task(asyncio.to_thread(_read, connection, url, packages, headers or {}, put))
    store = ""
    ended = False
    try:
        while not ended:
            arrivals = []
            for item in await _waiting(arrived):
                if isinstance(item, LibreseedError):
                    raise item
                if item is None:
                    ended = True
                elif "store" in (line := orjson.loads(item)):
                    store = line["store"] if os.access(line["store"], os.R_OK | os.X_OK) else ""
                else:
                    arrivals.append(_arrival(packages[line["number"]], line, store))
            yield arrivals
    finally:
        _abort(connection)
        await reading


async def _waiting(queue: asyncio.Queue[_Item]) -> list[_Item]:
    """Wait for an item, and return all that are queued then."""
    items = [await queue.get()]
    while not queue.empty():
        items.append(queue.get_nowait())
    return items


def _arrival(package: LockedPackage, line: dict[str, Any], store: str) -> Arrival:
    if "error" in line:
        kind = NotFoundError if line["status"] in _GONE else UnavailableError
        message = f"{package.label} is not to be had: {line['error']}"
        return Arrival(package, error=kind(message, hint="See: libreseed doctor"))
    return Arrival(package, line["source"], store)


def _read(
    connection: http.client.HTTPConnection,
    url: str,
    packages: Sequence[LockedPackage],
    headers: Mapping[str, str],
    put: _Put,
) -> None:
    """Request the tarballs and `put` the answer line by line, then None or an error. Runs in a thread."""
    wanted = [[package.name, package.file, (package.digest or b"").hex()] for package in packages]
    path = urlsplit(url).path.rstrip("/") + PATH
    ended = False
    try:
        with closing(connection):
            connection.request("POST", path, orjson.dumps(wanted), {**headers, "Content-Type": "application/json"})
            with connection.getresponse() as answer:
                if answer.status != 200:
                    put(None)
                    return
                for line in answer:
                    ended = line == b"{}\n"
                    if not ended:
                        put(line)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        # The last two: the connection was closed by `_abort` while it was read.
        put(UnavailableError(f"{url} gave no answer: {error}.", hint="Is it running? See: libreseed status"))
        return
    put(None if ended else UnavailableError(f"{url} broke off its answer.", hint="Try again."))


def _abort(connection: http.client.HTTPConnection) -> None:
    """Close the connection, which ends a read of the thread."""
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
