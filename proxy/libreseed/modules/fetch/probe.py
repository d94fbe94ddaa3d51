"""Asks whether a registry answers, by the standard library, which is imported faster than the HTTP client."""

import asyncio
import http.client
from urllib.parse import urlsplit

from libreseed.errors import InvalidInputError, UnavailableError

TIMEOUT = 10.0
"""Seconds for an answer."""


def connect(url: str, *, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet, to the host of a registry's URL. Raises InvalidInputError for another
    URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(f"{url[:120]!r} is not the URL of a registry.", hint="Such as http://localhost:4880")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, port, timeout=timeout)


async def probe(url: str, *, timeout: float = TIMEOUT) -> None:
    """Ask the registry at `url` whether it answers with a status below 500 within `timeout` seconds.

    Raises InvalidInputError for another URL, UnavailableError when it does not.
    """
    connection = connect(url, timeout=timeout)
    status = await asyncio.to_thread(_status, connection, f"{urlsplit(url).path.rstrip('/')}/-/libreseed/status")
    if status >= 500:
        raise nobody_answers(url)


def nobody_answers(url: str) -> UnavailableError:
    """Return the error for a registry that does not answer."""
    return UnavailableError(f"No LibreSeed registry answers at {url}.", hint="Start one with: libreseed serve")


def _status(connection: http.client.HTTPConnection, path: str) -> int:
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 599
    finally:
        connection.close()
