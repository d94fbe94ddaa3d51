import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from libreseed.errors import InvalidInputError, TooLargeError
from libreseed.registry.http.bodies import read_body, read_json


def request(*chunks: bytes, cut: bool = False, encoding: str = "") -> Request:
    """A request whose body comes in these chunks; `cut`: the client leaves before its end."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> dict[str, object]:
        return next(waiting)

    headers = [(b"content-encoding", encoding.encode())] if encoding else []
    scope = {"type": "http", "headers": headers, "method": "PUT", "to come": waiting}
    return Request(scope, receive)  # type: ignore[arg-type]


async def pieces(body: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in body]


@pytest.mark.parametrize("encoding", ["", "gzip", "GZIP"])
async def test_json(encoding: str) -> None:
    text = b'{"a": [1, 2]}'
    sent = gzip.compress(text) if encoding else text
    assert await read_json(request(sent[:5], sent[5:], encoding=encoding), len(text)) == {"a": [1, 2]}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
async def test_what_is_not_json(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not JSON"):
        await read_json(request(body), 100)


async def test_a_body_that_is_too_large_is_read_to_its_end() -> None:
    """A client that is still sending hears no answer."""
    sent = request(*[b"x" * 10] * 30)
    with pytest.raises(TooLargeError, match="larger than"):
        await read_json(sent, 100)
    assert not list(sent.scope["to come"])
    endless = request(*[b"x" * 10] * 1000)
    with pytest.raises(TooLargeError):
        await read_json(endless, 100)
    assert list(endless.scope["to come"])


async def test_gzip_is_unpacked_in_small_pieces() -> None:
    bomb = gzip.compress(b"0" * (20 << 20))
    unpacked = await pieces(read_body(request(bomb, encoding="gzip"), 20 << 20))
    assert (sum(map(len, unpacked)), max(map(len, unpacked)) <= 1 << 20) == (20 << 20, True)
    with pytest.raises(TooLargeError):
        await pieces(read_body(request(bomb, encoding="gzip"), (20 << 20) - 1))


async def test_a_body_that_is_cut_off() -> None:
    whole = gzip.compress(b"{}" * 1000)
    for body in (
        request(b"{}", cut=True),
        request(whole[:-9], encoding="gzip"),
        request(b"no gzip", encoding="gzip"),
        request(encoding="gzip"),
    ):
        with pytest.raises(InvalidInputError):
            await asyncio.wait_for(read_json(body, 10_000), 60)
