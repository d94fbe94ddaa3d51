import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import umsgpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libreseed.network.addresses import Address
from libreseed.network.udp import wire as wires
from libreseed.network.udp.round_trips import RoundTrips
from libreseed.network.udp.throttle import Throttle
from libreseed.network.udp.wire import Fields, Handler, Wire
from network.helpers import eventually

Open = Callable[..., Awaitable[Wire]]


@pytest.fixture
async def open_wire() -> AsyncIterator[Open]:
    opened: list[Wire] = []

    async def start(throttle: Throttle | None = None, **handlers: Handler) -> Wire:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_datagram_endpoint(
            lambda: Wire(handlers, RoundTrips(), throttle), local_addr=("127.0.0.1", 0)
        )
        opened.append(wire)
        return wire

    yield start
    for wire in opened:
        wire.close()


def address(wire: Wire) -> Address:
    name: Address = wire.transport.get_extra_info("sockname")
    return name


async def test_echo(open_wire: Open) -> None:
    server = await open_wire(echo=lambda sender, fields: [*sender, *fields])
    client = await open_wire()
    assert await client.call(address(server), "echo", [1, b"two", "drei"]) == [*address(client), 1, b"two", "drei"]


@pytest.mark.parametrize("method", ["close", "connection_lost", "call", "__init__", "stun", "store", ""])
async def test_only_declared_methods_can_be_called(open_wire: Open, method: str) -> None:
    server = await open_wire(echo=lambda sender, fields: fields)
    client = await open_wire()
    answers: list[object] = []
    client.request(address(server), method, [], answers.append)
    assert await client.call(address(server), "echo", []) == []
    assert not answers
    assert not server.transport.is_closing()


async def test_misspelt_attribute_is_no_remote_call(open_wire: Open) -> None:
    with pytest.raises(AttributeError):
        (await open_wire()).find_nodde  # noqa: B018


async def test_answer_must_come_from_who_was_asked(open_wire: Open) -> None:
    client, silent = await open_wire(), await open_wire()
    asked: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    silent.datagram_received = lambda data, addr: None if asked.done() else asked.set_result(data)
    answer = asyncio.ensure_future(client.call(address(silent), "echo", []))
    forged = b"\x01" + (await asked)[1:21] + umsgpack.packb(["forged"])
    stranger = await open_wire(echo=lambda sender, fields: fields)
    stranger.transport.sendto(forged, address(client))
    assert await client.call(address(stranger), "echo", []) == []  # so the forged one was there before
    assert not answer.done()
    silent.transport.sendto(b"\x01" + forged[1:21] + umsgpack.packb(["true"]), address(client))
    assert await answer == ["true"]


async def test_late_answer_counts(open_wire: Open) -> None:
    client = await open_wire()
    server = await open_wire()
    held: list[bytes] = []
    server.datagram_received = lambda data, addr: held.append(data)
    events: asyncio.Queue[object] = asyncio.Queue()
    client.request(address(server), "echo", [], events.put_nowait, lambda: events.put_nowait("late"))
    assert await events.get() == "late"
    assert client.round_trips.is_silent(address(server))
    server.transport.sendto(b"\x01" + held[0][1:21] + umsgpack.packb(["here"]), address(client))
    assert await events.get() == ["here"]
    assert not client.round_trips.is_silent(address(server))


async def test_silence_ends_in_none(open_wire: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "GIVE_UP", 0.15)
    client, silent = await open_wire(), await open_wire()
    seen: list[bytes] = []
    silent.datagram_received = lambda data, addr: seen.append(data)
    assert await client.call(address(silent), "echo", []) is None
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_cancelled_caller_leaves_nothing_behind(
    open_wire: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "GIVE_UP", 60.0)
    monkeypatch.setattr(wires, "MAX_OUTSTANDING", 1)
    gate: list[bytes] = []
    client, server = await open_wire(), await open_wire()
    server.datagram_received = lambda data, addr: gate.append(data)
    call = asyncio.ensure_future(client.call(address(server), "echo", []))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: gate)
    client.request(address(server), "echo", [], lambda _: None)  # which is sent when the first is done with
    server.transport.sendto(b"\x01" + gate[0][1:21] + umsgpack.packb([]), address(client))
    await eventually(lambda: len(set(gate)) == 2)
    assert not caplog.records


async def test_requests_under_way_are_bounded(open_wire: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "MAX_OUTSTANDING", 3)
    asked: set[int] = set()
    answers: list[Fields | None] = []
    held: list[tuple[bytes, Address]] = []
    most = 0

    def echo(sender: Address, fields: Fields) -> Fields:
        nonlocal most
        asked.add(fields[0])
        most = max(most, len(asked) - len(answers))
        return fields

    server, client = await open_wire(echo=echo), await open_wire()
    receive = server.datagram_received
    server.datagram_received = lambda data, addr: held.append((data, addr))
    for number in range(50):
        client.request(address(server), "echo", [number], answers.append)
    client.transport.sendto(b"all", address(server))
    await eventually(lambda: b"all" in [data for data, _ in held])
    server.datagram_received = receive
    for data, addr in held:
        receive(data, addr)
    await eventually(lambda: len(answers) == 50)
    assert sorted(answers, key=str) == sorted(([n] for n in range(50)), key=str)
    assert most == 3


async def test_closing_ends_what_is_under_way(open_wire: Open) -> None:
    client, silent = await open_wire(), await open_wire()
    silent.datagram_received = lambda data, addr: None
    calls = [asyncio.ensure_future(client.call(address(silent), "echo", [])) for _ in range(5)]
    await asyncio.sleep(0)
    client.close()
    assert await asyncio.gather(*calls) == [None] * 5
    assert await client.call(address(silent), "echo", []) is None


async def test_answers_are_throttled(open_wire: Open) -> None:
    server = await open_wire(Throttle(rate=0, burst=1), big=lambda sender, fields: [bytes(1000)], small=lambda s, f: f)
    client = await open_wire()
    answers: list[object] = []
    client.request(address(server), "big", [], answers.append)
    assert await client.call(address(server), "small", []) == []
    assert not answers


async def test_oversized_datagrams_are_dropped_unread(open_wire: Open) -> None:
    server = await open_wire(echo=lambda sender, fields: [])
    client = await open_wire()
    answers: list[bytes] = []
    datagram = b"\x00" + bytes(20) + umsgpack.packb(["echo", [bytes(wires.MAX_DATAGRAM)]])
    client.datagram_received = lambda data, addr: answers.append(data)
    client.transport.sendto(datagram, address(server))
    client.transport.sendto(b"\x00" + b"\1" * 20 + umsgpack.packb(["echo", []]), address(server))
    await eventually(lambda: answers)
    assert answers[0][1:21] == b"\1" * 20


NESTED = b"\x91" * 5000
HUGE_ARRAY = b"\xdd\xff\xff\xff\xff"


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([b"\x00", b"\x01", b"\x02"]),
    body=st.one_of(
        st.binary(max_size=200),
        st.sampled_from([NESTED, HUGE_ARRAY, b"\xd7\xff" + b"\xff" * 8, b"\x81\x90\x90"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(umsgpack.packb),
    ),
)
async def test_no_datagram_raises(open_wire: Open, caplog: pytest.LogCaptureFixture, kind: bytes, body: bytes) -> None:
    wire, silent = await open_wire(echo=lambda sender, fields: []), await open_wire()
    message_id = os.urandom(20)
    requests: list[bytes] = []
    silent.datagram_received = lambda data, addr: requests.append(data)
    answers: list[object] = []
    wire.request(address(silent), "echo", [], answers.append)
    await eventually(lambda: requests)
    for identity in (message_id, requests[0][1:21]):
        wire.datagram_received(kind + identity + body, address(silent))
    assert all(answer is None or isinstance(answer, list) for answer in answers)
    assert not [entry for entry in caplog.records if entry.levelno > logging.DEBUG]
    wire.close()
    silent.close()
