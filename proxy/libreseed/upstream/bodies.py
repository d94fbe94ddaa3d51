"""Bodies of the upstream's answers that are read as a whole."""

import asyncio

import orjson

from libreseed.errors import UnavailableError
from libreseed.upstream.transport import Answer


async def read_object(answer: Answer, limit: int, what: str) -> bytes:
    """Return the JSON object that an answer carries, `limit` bytes at most. `what` names it in errors.

    Raises UnavailableError: too large, or not a complete object; and what `Answer.read` raises.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.read():
        size += len(chunk)
        if size > limit:
            raise UnavailableError(f"The upstream's {what} is larger than {limit} bytes.")
        chunks.append(chunk)
    body = b"".join(chunks).strip()
    # HTTP itself notices a body that ends early, unless nothing but the closed connection marks its end.
    framed = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
    looks_whole = body.startswith(b"{") and body.endswith(b"}")
    if not looks_whole or not (framed or await asyncio.to_thread(_is_json, body)):
        raise UnavailableError(f"The upstream's {what} is not a complete JSON object.")
    return body


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
