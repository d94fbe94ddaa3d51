"""Asks a node for all tarballs of a lock file at once, and learns of each as soon as the node has it.

A node on this machine names its store, so that the tarballs are read from there and not sent. What the store gives
is checked like anything else.
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
"""Seconds without a word from the node after which it is given up."""

_GONE = frozenset({400, 401, 403, 404})

_Item = bytes | LibreseedError | None
"""A line of the answer, why there is none, or its end."""
_Put = Callable[[_Item], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A tarball that the node has now: its source, and the folder of the node's store if it can be read here. Or why
    it will not come."""

    package: LockedPackage
    source: str = ""
    store: str = ""
    error: LibreseedError | None = None

    def find_file(self) -> Path | None:
        """Return the tarball's file, if it can be read here. Blocks."""
        if not self.store or self.package.digest is None:
            return None
        name = self.package.digest.hex()
        place = Path(self.store, name[:2], name)
        return place if os.access(place, os.R_OK) else None


async def prefetch(
    url: str, packages: Sequence[LockedPackage], headers: Mapping[str, str] | None = None
) -> AsyncGenerator[list[Arrival], None]:
    """Yield what becomes of the packages' tarballs, all that is known by now at a time; nothing when the registry at
    `url` is no node of LibreSeed.

    `headers` go along, such as who asks.

    Raises UnavailableError: no answer, or it broke off.
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
        _hang_up(connection)
        await reading


async def _waiting(queue: asyncio.Queue[_Item]) -> list[_Item]:
    """Wait for an item, and return all that are there then."""
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
    """Hand on the answer line by line, and None at its end. Runs in a thread."""
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
        # The last two: the connection was closed by `_hang_up` while it was read.
        put(UnavailableError(f"{url} gave no answer: {error}.", hint="Is it running? See: libreseed status"))
        return
    put(None if ended else UnavailableError(f"{url} broke off its answer.", hint="Try again."))


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End the answer that the thread may still be waiting for."""
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
