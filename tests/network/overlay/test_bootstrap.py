import logging
import socket

import pytest

from libreseed.errors import ConfigError, NetworkError
from libreseed.network.overlay import bootstrap
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.network.udp import wire
from network.conftest import Spawn
from network.helpers import eventually, text


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FIRST_DELAY", 0.02)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_names_are_resolved(spawn: Spawn) -> None:
    first, second = await spawn(), await spawn()
    await second.bootstrap([f"localhost:{first.address[1]}"])
    assert second.peers == 1
    await eventually(lambda: first.peers == 1)


async def test_ipv6(spawn: Spawn) -> None:
    first = await spawn(host="::1")
    second = await spawn(first, host="::1")
    assert [contact.ip for contact in second.contacts()] == ["::1"]


async def test_both_families_on_one_socket(spawn: Spawn) -> None:
    first, second = await spawn(), await spawn(host="::1")
    both = await spawn(first, second, host="::")
    await eventually(lambda: both.peers == 2)
    assert sorted(contact.ip for contact in both.contacts()) == ["127.0.0.1", "::1"]


async def test_a_dead_contact_holds_nobody_up(spawn: Spawn, caplog: pytest.LogCaptureFixture) -> None:
    first, node = await spawn(), await spawn(bootstrap_timeout=0.1)
    await node.bootstrap([f"127.0.0.1:{free_port()}", text(first.address), "no-such-host.invalid:1"])
    assert node.peers == 1
    await eventually(lambda: len(caplog.records) == 2)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_nobody_there_is_no_error(spawn: Spawn, caplog: pytest.LogCaptureFixture) -> None:
    node = await spawn(bootstrap_timeout=0.05)
    await node.bootstrap([f"127.0.0.1:{free_port()}"])
    assert node.peers == 0
    assert len(caplog.records) == 1


async def test_syntax_is_an_error(spawn: Spawn) -> None:
    with pytest.raises(ConfigError):
        await (await spawn()).bootstrap(["localhost"])


async def test_naming_ourselves_is_no_fault(spawn: Spawn, caplog: pytest.LogCaptureFixture) -> None:
    node = await spawn()
    await node.bootstrap([text(node.address)])
    assert node.peers == 0
    assert not caplog.records


async def test_node_started_before_its_bootstrap_node_finds_it(spawn: Spawn) -> None:
    port = free_port()
    early = await spawn(bootstrap_timeout=0.05)
    await early.bootstrap([f"127.0.0.1:{port}"])
    await spawn(port=port)
    await eventually(lambda: early.peers == 1)


async def test_last_sessions_peers_are_tried(spawn: Spawn) -> None:
    first, storage = await spawn(), MemoryStorage()
    before = await spawn(first, storage=storage)
    await before.stop()
    assert storage.contacts == ((*first.address, 4000),)
    after = await spawn(storage=storage)
    await after.bootstrap()
    assert after.peers == 1


async def test_lost_network_is_joined_again(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "GIVE_UP", 0.15)
    first = await spawn()
    node = await spawn(first, bootstrap_timeout=0.1)
    port = first.address[1]
    await first.stop()
    await node.find_records("lodash")
    await eventually(lambda: node.peers == 0)
    await spawn(port=port)
    await eventually(lambda: node.peers == 1)


async def test_it_is_known_who_is_there_and_who_went_away(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "GIVE_UP", 0.15)
    first = await spawn()
    node = await spawn(first, bootstrap_timeout=0.1)
    there, port = ("127.0.0.1", first.p2p_port), first.address[1]
    assert [(peer, bool(seconds)) for peer, seconds in node.latencies().items()] == [(there, True)]
    await first.stop()
    await node.find_records("lodash")
    await eventually(lambda: node.latencies() == {there: None})
    await spawn(port=port, p2p_port=first.p2p_port)
    await eventually(lambda: node.latencies().get(there))


async def test_taken_port_is_told(spawn: Spawn) -> None:
    node = await spawn()
    with pytest.raises(NetworkError, match="cannot listen"):
        await spawn(port=node.address[1])


async def test_foreign_address_is_told(spawn: Spawn) -> None:
    with pytest.raises(NetworkError, match="cannot listen"):
        await spawn(host="192.0.2.1")
