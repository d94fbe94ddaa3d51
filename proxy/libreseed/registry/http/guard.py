"""Checks of every request before any endpoint, and the access log.

A server on localhost can be reached by the scripts of any web page. Two checks stop them: the Host header must be one
of this server's names, against DNS rebinding; and the Origin of a write, if there is one, must be this server's,
against cross-site request forgery.
"""

import ipaddress
import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libreseed.errors import ForbiddenError, UnavailableError
from libreseed.registry.http.answers import SOURCE_HEADER, error_answer
from libreseed.upstream.via import VIA_HEADER, accept_via

access_log = logging.getLogger("libreseed.access")
"""One line for each request. Its log records have the values as attributes: `host` and `path` (as they were sent),
`status`, `source`, `length` (bytes of the body; None without a Content-Length) and `milliseconds`."""

_MAX_KNOWN = 100
"""Accepted values of the Host header that are cached."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """ASGI middleware: checks the Host and Origin headers, refuses requests that this node has sent itself through
    other nodes (`upstream.via`), and writes the access log."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], node_id: str) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._known: set[str] = set()
        self._node_id = node_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, refused with 403 or 503 when a check fails."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app = self._refusal(scope) or self._app
        if access_log.isEnabledFor(logging.INFO):
            await _logged(app, scope, receive, send)
        else:
            await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return error_answer(
                ForbiddenError(
                    f"This server does not answer for the host {host[:100]!r}.",
                    hint="If it should: libreseed serve --allow-host NAME",
                )
            )
        origin = headers.get("origin")
        if scope["method"] not in _READING and origin is not None and origin.partition("://")[2] != host:
            return error_answer(ForbiddenError("Writes from other web pages are refused."))
        try:
            accept_via(headers.getlist(VIA_HEADER), self._node_id)
        except UnavailableError as error:
            return error_answer(error)
        return None

    def _is_ours(self, host: str) -> bool:
        if host in self._known:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if not (name in self._hosts or name == "localhost" or name.endswith(".localhost")):
                ipaddress.ip_address(name)  # no name, so no DNS that could be rebound
        except ValueError:
            return False
        if len(self._known) < _MAX_KNOWN:
            self._known.add(host)
        return True


async def _logged(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request, and log it when it has ended."""
    started = time.perf_counter()
    status, source = 500, "-"
    length: str | None = None

    async def note_start(message: Message) -> None:
        nonlocal status, source, length
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            status = message["status"]
            source = headers.get(SOURCE_HEADER, "-")
            length = headers.get("content-length")
        await send(message)

    try:
        await app(scope, receive, note_start)
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        path = scope.get("raw_path", b"").decode("latin-1")
        fields = {
            "host": Headers(scope=scope).get("host", ""),
            "path": path,
            "status": status,
            "source": source,
            "length": int(length) if length else None,
            "milliseconds": milliseconds,
        }
        access_log.info("%s %s %d %s %.1f ms", scope["method"], path, status, source, milliseconds, extra=fields)
