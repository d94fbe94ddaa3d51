import asyncio
from pathlib import Path

import pytest

from libreseed.swarm.download import Download
from libreseed.swarm.session import Session
from swarm.conftest import StartSession, endpoint, torrent_of
from swarm.test_bundle import all_files, download_of, offered, refs, torrents

LIMIT = 500_000
SIZES = (200_000, 300_000)


@pytest.mark.parametrize("limited", ["upload_limit", "download_limit"])
async def test_a_limit_holds_over_blobs_and_bundles_together(
    limited: str, start_session: StartSession, tmp_path: Path
) -> None:
    """Peers on the same machine are no exception, as they are by libtorrent's default."""
    limits = [{limited: LIMIT}, {}] if limited == "upload_limit" else [{}, {limited: LIMIT}]
    holder, asker = [await start_session(**each) for each in limits]
    held, blob = torrents(tmp_path / "held", SIZES), torrent_of(tmp_path / "held", bytes(500_000))
    v2 = offered(holder, tmp_path / "held", held)
    holder.seed(blob, tmp_path / "held")
    for folder in ("bundle", "blob"):
        (tmp_path / folder).mkdir()
    began = asyncio.get_running_loop().time()
    async with (
        download_of(asker, v2, refs(held), tmp_path / "bundle", holder) as bundle,
        Download(asker, blob.ref, tmp_path / "blob", [endpoint(holder)], 20.0) as single,
    ):
        await asyncio.gather(all_files(bundle, len(held)), single.complete())
    seconds = asyncio.get_running_loop().time() - began
    # Twice as much as the limit lets through in a second; libtorrent lets the first moment's bytes go at once.
    assert seconds > 1.0


async def test_limits_are_changed_while_it_runs(start_session: StartSession) -> None:
    session: Session = await start_session(upload_limit=LIMIT)
    assert session.limits == (LIMIT, 0)
    session.limit(upload=1, download=2)
    assert session.limits == (1, 2)
