"""Bodies of requests, up to a limit, unpacked when their content coding is gzip (RFC 9110, 8.4.1.3)."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from libreseed.errors import InvalidInputError, TooLargeError

_GZIP = zlib.MAX_WBITS | 16
_PIECE = 1 << 20
_MAX_DRAINED = 4
"""Of a body that is too large so many times the limit is still read, since clients take no response before they have
sent all of it."""


async def read_json(request: Request, limit: int) -> Any:
    """Return the parsed JSON body of a request.

    Raises InvalidInputError: not JSON; TooLargeError; and what `read_body` raises.
    """
    try:
        return orjson.loads(await read_bytes(request, limit))
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("The request's body is not JSON.") from error


async def read_bytes(request: Request, limit: int) -> bytes:
    """Return the whole body. Raises what `read_body` raises."""
    return b"".join([piece async for piece in read_body(request, limit)])


async def read_body(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body in pieces; those of gzip have at most 1 MiB.

    Raises TooLargeError: more than `limit` bytes, unpacked; InvalidInputError: cut off, or not whole gzip.
    """
    unpacker = zlib.decompressobj(_GZIP) if request.headers.get("content-encoding", "").lower() == "gzip" else None
    left = limit
    try:
        async for chunk in request.stream():
            for piece in _unpack(unpacker, chunk) if unpacker else (chunk,):
                left -= len(piece)
                if left >= 0:
                    yield piece
                elif unpacker or -left > _MAX_DRAINED * limit:
                    raise _too_large(limit)
    except zlib.error as error:
        raise InvalidInputError("The request's body is not gzip.") from error
    except ClientDisconnect as error:
        raise InvalidInputError("The request ended before its body was complete.") from error
    if left < 0:
        raise _too_large(limit)
    if unpacker and not unpacker.eof:
        raise InvalidInputError("The request's body is not complete gzip.")


def _unpack(unpacker: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    while chunk:
        yield unpacker.decompress(chunk, _PIECE)
        chunk = unpacker.unconsumed_tail


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The request's body is larger than {limit / (1 << 20):g} MiB.")
