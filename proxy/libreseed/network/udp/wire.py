"""Requests and answers over UDP: rpcudp's format, with our own time-outs, limits and dispatch.

A datagram is one byte (0 request, 1 answer), a 20-byte message id and MessagePack: `[method, [argument, …]]`
or the answer's fields.
"""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import umsgpack
from rpcudp.protocol import RPCProtocol

from libreseed.errors import InvalidInputError, LibreseedError
from libreseed.network.addresses import Address, canonical_ip
from libreseed.network.udp.round_trips import MAX_TIMEOUT, RoundTrips
from libreseed.network.udp.throttle import Throttle

log = logging.getLogger(__name__)

MAX_DATAGRAM = 8192
MAX_OUTSTANDING = 256
GIVE_UP = MAX_TIMEOUT
"""Seconds after which a request has failed; its answer was late long before."""
_HEAD = 21
_REQUEST, _ANSWER = b"\x00", b"\x01"

Fields: TypeAlias = list[Any]
Handler: TypeAlias = Callable[[Address, Fields], Fields]
"""Answers a request of an address. Raises InvalidInputError for arguments that break the protocol."""
OnAnswer: TypeAlias = Callable[[Fields | None], None]


class _Call:
    __slots__ = ("address", "datagram", "on_answer", "on_silence", "sent_at", "timer")

    def __init__(self, address: Address, datagram: bytes, on_answer: OnAnswer, on_silence: Callable[[], None]) -> None:
        self.address = address
        self.datagram = datagram
        self.on_answer = on_answer
        self.on_silence = on_silence
        self.sent_at = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Wire(RPCProtocol):  # type: ignore[misc]  # rpcudp has no type hints
    """One UDP socket. Each request ends in exactly one `on_answer`: the fields, or None when there is no answer.

    A request that is late (see RoundTrips) calls `on_silence` once, is sent a second time, and may still be
    answered until GIVE_UP. At most MAX_OUTSTANDING requests are under way; later ones wait their turn.
    """

    def __init__(
        self, handlers: Mapping[str, Handler], round_trips: RoundTrips, throttle: Throttle | None = None
    ) -> None:
        super().__init__(wait_timeout=GIVE_UP)
        self.round_trips = round_trips
        self._handlers = handlers
        self._throttle = throttle or Throttle()
        self._calls: dict[bytes, _Call] = {}
        self._waiting: deque[tuple[bytes, _Call]] = deque()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._ipv6 = False
        self.sent = 0
        self.received = 0
        """Bytes of all datagrams."""

    def __getattr__(self, name: str) -> Any:
        # rpcudp turns every unknown attribute into a remote call; a misspelt one must fail instead.
        raise AttributeError(name)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        super().connection_made(transport)
        self._ipv6 = ":" in transport.get_extra_info("sockname")[0]

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop: everything under way ends without an answer."""
        self._closed = True
        calls = [*self._calls.values(), *(call for _, call in self._waiting)]
        self._calls.clear()
        self._waiting.clear()
        for call in calls:
            if call.timer:
                call.timer.cancel()
            call.on_answer(None)
        if self.transport:
            self.transport.close()

    def request(
        self,
        address: Address,
        method: str,
        arguments: Fields,
        on_answer: OnAnswer,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        """Ask `address`. `on_answer` is never called before this returns."""
        message_id = os.urandom(20)
        datagram = _REQUEST + message_id + umsgpack.packb([method, arguments])
        call = _Call(address, datagram, on_answer, on_silence)
        if self._closed or len(datagram) > MAX_DATAGRAM:
            self._loop.call_soon(on_answer, None)
        elif len(self._calls) >= MAX_OUTSTANDING:
            self._waiting.append((message_id, call))
        else:
            self._start(message_id, call)

    async def call(self, address: Address, method: str, arguments: Fields) -> Fields | None:
        """Ask `address` and return the answer's fields, None when there is none. Cancelling it is harmless."""
        future: asyncio.Future[Fields | None] = self._loop.create_future()

        def settle(fields: Fields | None) -> None:
            if not future.done():
                future.set_result(fields)

        self.request(address, method, arguments, settle)
        return await future

    def _start(self, message_id: bytes, call: _Call) -> None:
        self._calls[message_id] = call
        call.sent_at = time.monotonic()
        call.timer = self._loop.call_later(self.round_trips.timeout(call.address), self._late, message_id)
        self._send(call.datagram, call.address)

    def _late(self, message_id: bytes) -> None:
        call = self._calls[message_id]
        remaining = max(call.sent_at + GIVE_UP - time.monotonic(), 0)
        call.timer = self._loop.call_later(remaining, self._give_up, message_id)
        self.round_trips.silent(call.address)
        self._send(call.datagram, call.address)
        call.on_silence()

    def _give_up(self, message_id: bytes) -> None:
        call = self._calls.pop(message_id)
        log.debug("No answer from %s:%d.", *call.address)
        self._next()
        call.on_answer(None)

    def _next(self) -> None:
        while self._waiting and len(self._calls) < MAX_OUTSTANDING:
            self._start(*self._waiting.popleft())

    def _send(self, datagram: bytes, address: Address) -> None:
        ip, port = address
        if self._ipv6 and ":" not in ip:
            ip = "::ffff:" + ip
        elif not self._ipv6 and ":" in ip:
            return
        try:
            self.transport.sendto(datagram, (ip, port))
            self.sent += len(datagram)
        except (OSError, ValueError) as error:
            log.debug("Could not send to %s:%d: %s", *address, error)

    def error_received(self, exc: OSError) -> None:
        log.debug("The network reports: %s", exc)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received += len(data)
        if not _HEAD < len(data) <= MAX_DATAGRAM or self._closed:
            return
        address = (canonical_ip(addr[0]), addr[1])
        kind, message_id = data[:1], data[1:_HEAD]
        if kind == _ANSWER:
            self._take_answer(message_id, data, address)
        elif kind == _REQUEST:
            self._answer(message_id, data, address)

    def _take_answer(self, message_id: bytes, data: bytes, address: Address) -> None:
        call = self._calls.get(message_id)
        if call is None or call.address != address:
            log.debug("Unasked answer from %s:%d dropped.", *address)
            return
        del self._calls[message_id]
        if call.timer:
            call.timer.cancel()
        self.round_trips.answered(address, time.monotonic() - call.sent_at)
        self._next()
        call.on_answer(_unpack(data))

    def _answer(self, message_id: bytes, data: bytes, address: Address) -> None:
        match _unpack(data):
            case [str(method), list(arguments)] if method in self._handlers:
                pass
            case _:
                log.debug("Malformed request from %s:%d dropped.", *address)
                return
        try:
            fields = self._handlers[method](address, arguments)
        except InvalidInputError as error:
            log.debug("Request %s from %s:%d dropped: %s", method, *address, error)
        except LibreseedError as error:
            log.info("Request %s from %s:%d refused: %s", method, *address, error)
        else:
            answer = _ANSWER + message_id + umsgpack.packb(fields)
            if self._throttle.allows(address[0], len(answer)):
                self._send(answer, address)
            else:
                log.debug("No answer to %s:%d: it asks too much.", *address)


def _unpack(data: bytes) -> Fields | None:
    """Return the list that a datagram carries, None for anything else."""
    try:
        fields = umsgpack.unpackb(data[_HEAD:])
    # umsgpack lets through whatever a value breaks: its own errors, TypeError, OverflowError, RecursionError
    except Exception as error:
        log.debug("Malformed MessagePack: %r", error)
        return None
    return fields if isinstance(fields, list) else None
