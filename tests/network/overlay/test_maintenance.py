import pytest

from libreseed.network.overlay import maintenance
from libreseed.network.overlay.storage import MemoryStorage
from network.conftest import RawPeers, Spawn
from network.helpers import eventually, text


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "FRESH", 0.02)


async def test_a_silent_peer_is_asked_whether_it_is_there(spawn: Spawn, raw_peer: RawPeers) -> None:
    node, peer = await spawn(), await raw_peer()
    await node.bootstrap([text(peer.address)])
    peer.requests.clear()
    await eventually(lambda: "ping" in [method for method, _ in peer.requests])


async def test_the_neighbourhood_is_explored_and_saved(
    spawn: Spawn, raw_peer: RawPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "REFRESH", 0.0)
    storage = MemoryStorage()
    node, peer = await spawn(storage=storage), await raw_peer()
    await node.bootstrap([text(peer.address)])
    peer.requests.clear()
    await eventually(lambda: storage.contacts == ((*peer.address, 5000),))
    assert [method for method, _ in peer.requests].count("find") >= 2
