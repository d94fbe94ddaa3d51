"""Reads whole bodies of the upstream's answers."""

import asyncio
import codecs

from libreseed.errors import InvalidInputError, UnavailableError
from libreseed.packages.lenient import read_json
from libreseed.upstream.transport import Answer


async def read_object(answer: Answer, limit: int, what: str) -> bytes:
    """Return the body of an answer, a JSON object of at most `limit` bytes. `what` names it in errors.

    Raises UnavailableError: too large, or not a complete object; and what `Answer.read` raises.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.read():
        size += len(chunk)
        if size > limit:
            raise UnavailableError(f"The upstream's {what} is larger than {limit} bytes.")
        chunks.append(chunk)
    body = b"".join(chunks).strip().removeprefix(codecs.BOM_UTF8)
    # A body that ends early is noticed, except where only the close of the connection marks its end (RFC 9112, 6.3).
    framed = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
    looks_whole = body.startswith(b"{") and body.endswith(b"}")
    if not looks_whole or not (framed or await asyncio.to_thread(_is_json, body)):
        raise UnavailableError(f"The upstream's {what} is not a complete JSON object.")
    return body


def _is_json(body: bytes) -> bool:
    try:
        read_json(body)
    except InvalidInputError:
        return False
    return True
