"""JSON with long texts in it, read piece by piece: the texts go elsewhere, the rest is small enough to be parsed.

A publish is such a thing: some fields, and a tarball as one text of hundreds of megabytes.
"""

from collections.abc import Callable
from typing import Protocol

from libreseed.errors import InvalidInputError

LONG = 1 << 20
"""Bytes from which on a text is long."""


class Sink(Protocol):
    """Where one long text goes."""

    def write(self, text: bytes) -> None:
        """Take the next piece of it."""

    def finish(self) -> None:
        """It is complete."""


class LongTexts:
    """Takes texts longer than LONG out of JSON. In their places stand `token` and their numbers, from 0 on.

    `token` must be a text that nobody guesses. `open_sink` is called once a long text. `limit`: bytes of the rest.
    The only escape that a long text may have is `\\/`; base64 needs no other.
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
        """Read on. Raises InvalidInputError, and what the sinks raise."""
        at = 0
        while at < len(data):
            at = self._inside_text(data, at) if self._inside else self._between_texts(data, at)
            if len(self._rest) > self._limit:
                raise InvalidInputError(
                    f"The request's body has more than {self._limit / (1 << 20):g} MiB beside its attachments."
                )

    def finish(self) -> bytes:
        """Return the JSON with the long texts replaced. Raises InvalidInputError when it ends inside one."""
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
