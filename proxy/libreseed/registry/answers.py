"""What goes back to clients: JSON, errors with npm's status codes, and where it came from."""

import math
import zlib
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from libreseed.delivery.sources import Source
from libreseed.errors import (
    ConflictError,
    ForbiddenError,
    IntegrityError,
    InvalidInputError,
    LibreseedError,
    NetworkError,
    NotFoundError,
    SwarmError,
    TrustError,
    UnauthorizedError,
    UnavailableError,
)
from libreseed.upstream.retries import TransientError

SOURCE_HEADER = "X-Libreseed-Source"
_RETRY_AFTER = 5.0, 3600.0
"""Seconds: the shortest and the longest wait that we ask for."""
_GZIP = zlib.MAX_WBITS | 16

_STATUSES: tuple[tuple[type[LibreseedError], int], ...] = (
    (NotFoundError, 404),
    (InvalidInputError, 400),
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (TrustError, 403),
    (ConflictError, 409),
    (UnavailableError, 503),
    (IntegrityError, 503),
    (SwarmError, 503),
    (NetworkError, 503),
)


def json_answer(content: Any, status: int = 200, source: Source = "store") -> Response:
    """Return a JSON response."""
    return Response(orjson.dumps(content), status, {SOURCE_HEADER: source}, "application/json")


def error_answer(error: LibreseedError) -> Response:
    """Return npm's `{"error": …}` with the status that makes clients do the right thing.

    They retry 503 and give up on 404, so nothing but a certain absence is 404.
    """
    status = status_of(error)
    headers = {SOURCE_HEADER: "store"}
    if status == 503:
        shortest, longest = _RETRY_AFTER
        wait = error.wait if isinstance(error, TransientError) else shortest  # what the upstream asked for goes on
        headers["Retry-After"] = str(math.ceil(min(max(wait, shortest), longest)))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = error.challenge
    return Response(orjson.dumps({"error": str(error)}), status, headers, "application/json")


def status_of(error: LibreseedError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


async def on_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    if not isinstance(error, LibreseedError):
        raise error
    return error_answer(error)


async def on_refusal(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses, such as a method that a path does not have."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"This registry has no {request.method} {request.url.path}."
    headers = {SOURCE_HEADER: "store", **(error.headers or {})}
    return Response(orjson.dumps({"error": message}), error.status_code, headers, "application/json")


async def on_crash(_: Request, __: Exception) -> Response:
    """Starlette's handler for everything else: the log gets the traceback, the client a sentence."""
    message = "Something failed here that should not; the server's log says what."
    return Response(orjson.dumps({"error": message}), 500, {SOURCE_HEADER: "store"}, "application/json")


async def read_json(request: Request, limit: int) -> Any:
    """Return the parsed JSON body of a request, which may be gzipped.

    Raises InvalidInputError: larger than `limit` bytes, unpacked too, or not JSON.
    """
    try:
        return orjson.loads(await read_bytes(request, limit))
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("The request's body is not JSON.") from error


async def read_bytes(request: Request, limit: int) -> bytes:
    """Return the body of a request, unpacked if it is gzipped. Raises InvalidInputError: more than `limit` bytes."""
    unpacker = zlib.decompressobj(_GZIP) if request.headers.get("content-encoding", "").lower() == "gzip" else None
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += unpacker.decompress(chunk, limit + 1 - len(body)) if unpacker else chunk
            if len(body) > limit:
                raise InvalidInputError(f"The request's body is larger than {limit / (1 << 20):g} MiB.")
        if unpacker and not unpacker.eof:
            raise InvalidInputError("The request's body is not complete gzip.")
        return bytes(body)
    except zlib.error as error:
        raise InvalidInputError("The request's body is not gzip.") from error
    except ClientDisconnect as error:
        raise InvalidInputError("The request ended before its body was complete.") from error
