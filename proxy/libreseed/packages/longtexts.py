"""Takes long strings out of JSON while it arrives, so that the rest is small enough to be parsed in memory.

The body of `npm publish` needs that: it has the whole tarball as one base64 string.
"""

from collections.abc import Callable
from typing import Protocol

from libreseed.errors import InvalidInputError

LONG = 1 << 20
"""Bytes above which a string is taken out."""


class Sink(Protocol):
    """Receives one long string, without its quotes."""

    def write(self, text: bytes) -> None:
        """Take the next bytes of the string."""

    def finish(self) -> None:
        """Note that the string is complete."""


class LongTexts:
    """Replaces each string longer than LONG by `token` and its number, counted from 0, and writes it to a sink.

    `token` must be unguessable, so that no client can write such a string itself. `open_sink` is called once for each
    long string. `limit`: bytes of what is left. Of JSON's escapes only `\\/` is undone in a long string; base64 needs
    no other.
    """

    def __init__(self, token: str, limit: int, open_sink: Callable[[], Sink]) -> None:
        self._token = token
        self._limit = limit
        self._open_sink = open_sink
        self._rest = bytearray()
        self._inside = False
        self._escaping = False
        self._start = 0
        self._sink: Sink | None = None
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the JSON. Raises InvalidInputError over the limit, and what the sinks raise."""
        at = 0
        while at < len(data):
            at = self._inside_text(data, at) if self._inside else self._between_texts(data, at)
            if len(self._rest) > self._limit:
                raise InvalidInputError(
                    f"The request's body has more than {self._limit / (1 << 20):g} MiB beside its attachments."
                )

    def finish(self) -> bytes:
        """Return the JSON with its long strings replaced. Raises InvalidInputError when it ends inside a string."""
        if self._inside:
            raise InvalidInputError("The request's body is not JSON: it ends within a text.")
        return bytes(self._rest)

    def _between_texts(self, data: bytes, at: int) -> int:
        quote = data.find(b'"', at)
        end = len(data) if quote < 0 else quote + 1
        self._rest += data[at:end]
        self._start = len(self._rest)
        self._inside = quote >= 0
        return end

    def _inside_text(self, data: bytes, at: int) -> int:
        if self._escaping:
            self._escaping = False
            self._add(b"\\" + data[at : at + 1])
            return at + 1
        quote = data.find(b'"', at)
        end = len(data) if quote < 0 else quote
        escape = data.find(b"\\", at, end)
        if escape >= 0:
            self._add(data[at:escape])
            self._escaping = True
            return escape + 1
        self._add(data[at:end])
        if quote >= 0:
            self._end_text()
        return end + 1

    def _add(self, text: bytes) -> None:
        if self._sink is None:
            self._rest += text
            if len(self._rest) - self._start <= LONG:
                return
            text = bytes(self._rest[self._start :])
            del self._rest[self._start :]
            self._sink = self._open_sink()
        self._sink.write(text.replace(b"\\/", b"/"))

    def _end_text(self) -> None:
        if self._sink is not None:
            self._sink.finish()
            self._sink = None
            self._rest += f"{self._token}{self._count}".encode()
            self._count += 1
        self._rest += b'"'
        self._inside = False
