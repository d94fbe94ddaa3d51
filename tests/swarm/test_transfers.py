from pathlib import Path

from libreseed.packages.integrity import sha512
from libreseed.swarm.download import Download
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from support.running import eventually
from swarm.conftest import StartSession, endpoint, torrent_of


async def test_who_gives_and_who_takes(start_session: StartSession, tmp_path: Path) -> None:
    data = bytes(number % 251 for number in range(3_000_000))
    torrent = torrent_of(tmp_path / "held", data)
    giver = Session(SessionSettings("127.0.0.1", upload_limit=500_000))
    await giver.start()
    try:
        giver.seed(torrent, tmp_path / "held")
        taker = await start_session()
        assert (giver.transfers(), taker.transfers()) == ([], [])
        async with Download(taker, torrent.ref, tmp_path / "got", [endpoint(giver)], 10.0):
            await eventually(lambda: giver.transfers() and any(each.received for each in taker.transfers()))
            (given,), (taken,) = giver.transfers(), taker.transfers()
            assert given.name == taken.name == sha512(data).hex()
            assert (given.up > 0, given.down, taken.down > 0) == (True, 0, True)
            assert 0 < given.copies <= 1
            assert (given.length, given.peers) == (len(data), 1)
    finally:
        await giver.stop()
