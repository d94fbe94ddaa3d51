"""Responses: JSON, errors with the status codes that npm clients expect, and the header that names the source."""

import math
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
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
    TooLargeError,
    TrustError,
    UnauthorizedError,
    UnavailableError,
)

SOURCE_HEADER = "X-Libreseed-Source"
_RETRY_AFTER = 5.0, 3600.0
"""Seconds: the least and the most in a Retry-After header (RFC 9110, 10.2.3)."""

_STATUSES: tuple[tuple[type[LibreseedError], int], ...] = (
    (NotFoundError, 404),
    (TooLargeError, 413),
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
    """Return `{"error": …}`, as npm's registry does, with the status of the error.

    Clients retry 503 and give up on 404; so only what certainly does not exist is answered with 404.
    """
    status = status_of(error)
    headers = {SOURCE_HEADER: "store"}
    if status == 503:
        shortest, longest = _RETRY_AFTER
        # The wait that the upstream asked for is passed on.
        wait = error.wait if isinstance(error, UnavailableError) else shortest
        headers["Retry-After"] = str(math.ceil(min(max(wait, shortest), longest)))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = error.challenge
    return Response(orjson.dumps({"error": str(error)}), status, headers, "application/json")


def status_of(error: LibreseedError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


async def on_error(_: Request, error: Exception) -> Response:
    """Handle a LibreseedError (Starlette's exception handler)."""
    if not isinstance(error, LibreseedError):
        raise error
    return error_answer(error)


async def on_refusal(request: Request, error: Exception) -> Response:
    """Handle an HTTPException of Starlette's router, such as 405 for a method that a path does not have."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"This registry has no {request.method} {request.url.path}."
    headers = {SOURCE_HEADER: "store", **(error.headers or {})}
    return Response(orjson.dumps({"error": message}), error.status_code, headers, "application/json")


async def on_crash(_: Request, __: Exception) -> Response:
    """Handle any other exception: the client gets a sentence with status 500, the log the traceback."""
    message = "Something failed here that should not; the server's log says what."
    return Response(orjson.dumps({"error": message}), 500, {SOURCE_HEADER: "store"}, "application/json")
