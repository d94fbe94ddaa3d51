"""Fetching by claims, among them lies: holders are real sessions, found through a real overlay."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import libtorrent as lt
import pytest

from libreseed.delivery.blobs import attempt
from libreseed.delivery.blobs import fetcher as fetcher_module
from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.delivery.blobs.spooled_stream import SpooledStream
from libreseed.errors import IntegrityError, LibreseedError, NotFoundError, SwarmError, UnavailableError
from libreseed.network.overlay.claims import Claim, HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue, TarballName
from libreseed.swarm.download import Download
from libreseed.swarm.reputation import Reputation
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.swarm.torrents import make_torrent
from libreseed.trust.records import BlobRef
from support.running import eventually
from support.seeding import make_fetcher

DATA = bytes(number % 251 for number in range(100_000))
DIGEST = sha512(DATA)


class Party:
    """An overlay node and a session of its own, as each node has them."""

    def __init__(self, root: Path, upload_limit: int = 0) -> None:
        self.root = root
        self.reputation = Reputation()
        self.session = Session(SessionSettings("127.0.0.1", upload_limit=upload_limit))

    async def start(self, stack: AsyncExitStack, *known: "Party") -> "Party":
        self.root.mkdir()
        await self.session.start()
        stack.push_async_callback(self.session.stop)
        settings = OverlaySettings(p2p_port=self.session.port)
        self.overlay = Overlay(settings, MemoryStorage(), rank=self.reputation.rank)
        await self.overlay.start()
        stack.push_async_callback(self.overlay.stop)
        if known:
            await self.overlay.bootstrap(
                [f"{host}:{port}" for host, port in (party.overlay.address for party in known)]
            )
        return self

    async def hold(self, data: bytes = DATA, *, length: int = len(DATA)) -> BlobRef:
        """Seed `data` as if it were DATA, and claim that it has `length`; returns when another node knows."""
        file = self.root / DIGEST.hex()
        file.write_bytes(data)
        torrent = make_torrent(file, DIGEST)
        self.session.seed(torrent, self.root)
        async with asyncio.timeout(30):
            while not await self.overlay.announce([HeldBlob(DIGEST, torrent.ref.v1, torrent.ref.v2, length)]):
                pass
        return torrent.ref


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def fetcher(tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> SwarmFetcher:
    monkeypatch.setattr(attempt, "STALL", 1.0)
    database = await Database.open(tmp_path / "libreseed.db")
    stack.push_async_callback(database.close)
    party = await Party(tmp_path / "me").start(stack)
    blobs = BlobStore(tmp_path / ".swarm")
    await blobs.open()
    return make_fetcher(party.overlay, party.session, blobs, Catalogue(database), reputation=party.reputation)


async def join(fetcher: SwarmFetcher, stack: AsyncExitStack, root: Path, upload_limit: int = 0) -> Party:
    party = await Party(root, upload_limit).start(stack)
    host, port = fetcher.swarm.overlay.address
    await party.overlay.bootstrap([f"{host}:{port}"])
    return party


def left(fetcher: SwarmFetcher) -> list[Path]:
    return list((fetcher.swarm.blobs.path(DIGEST).parents[2] / "incoming").iterdir())


async def test_by_claim(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    ref = await (await join(fetcher, stack, tmp_path / "holder")).hold()
    assert await fetcher.fetch(BlobRequest(DIGEST)) == ref
    assert fetcher.swarm.seeding.path(DIGEST).read_bytes() == DATA
    assert fetcher.swarm.seeding.shared(DIGEST) == ref
    assert left(fetcher) == []


async def test_nobody_has_it(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    await join(fetcher, stack, tmp_path / "holder")
    searches: list[bytes] = []
    search = fetcher.swarm.overlay.find_holders

    def counted(digest: bytes, *, nearby: bool = False) -> AsyncGenerator[Claim, None]:
        searches.append(digest)
        return search(digest, nearby=nearby)

    fetcher.swarm.overlay.find_holders = counted  # type: ignore[method-assign]
    with pytest.raises(NotFoundError, match="Nobody offers"):
        await fetcher.fetch(BlobRequest(DIGEST))
    assert searches == [DIGEST]


async def test_other_bytes_are_refused_and_their_holder_remembered(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path
) -> None:
    liar = await join(fetcher, stack, tmp_path / "liar")
    await liar.hold(DATA[::-1])
    with pytest.raises(IntegrityError):
        await fetcher.fetch(BlobRequest(DIGEST))
    assert (fetcher.swarm.seeding.find(DIGEST), fetcher.swarm.blobs.has(DIGEST), left(fetcher)) == (None, False, [])
    assert fetcher.swarm.reputation.is_shunned(("127.0.0.1", liar.session.port))
    with pytest.raises(NotFoundError):
        await fetcher.fetch(BlobRequest(DIGEST))


async def test_an_honest_holder_among_liars(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    for number in range(3):
        await (await join(fetcher, stack, tmp_path / f"liar{number}")).hold(DATA[::-1] + bytes([number]))
    await (await join(fetcher, stack, tmp_path / "honest")).hold()
    await fetcher.fetch(BlobRequest(DIGEST))
    assert fetcher.swarm.seeding.path(DIGEST).read_bytes() == DATA


async def test_who_trickles_gives_way(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even those who delivered before may hold up everybody else."""
    monkeypatch.setattr(fetcher_module, "_AT_ONCE", 1)
    monkeypatch.setattr(attempt, "TURN", 0.5)
    honest = await join(fetcher, stack, tmp_path / "honest")
    await honest.hold()
    await honest.overlay.stop()  # its claim is known, but those of neighbours who answer come before it
    for number in range(2):
        liar = await join(fetcher, stack, tmp_path / f"liar{number}", upload_limit=40_000)
        fetcher.swarm.reputation.note_delivered(("127.0.0.1", liar.session.port), 1 << 30)
        await liar.hold(bytes([number]) * 900_000, length=900_000)
    async with asyncio.timeout(30):
        await fetcher.fetch(BlobRequest(DIGEST))
    assert fetcher.swarm.seeding.path(DIGEST).read_bytes() == DATA
    assert left(fetcher) == []


async def test_others_are_sought_while_a_stranger_delivers(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Its first pieces say nothing about the others: 6 MB at this rate take 30 s, and are wrong then."""
    liar = await join(fetcher, stack, tmp_path / "liar", upload_limit=200_000)
    await liar.hold(bytes(6_000_000), length=6_000_000)
    request = BlobRequest(DIGEST)
    fetching = asyncio.create_task(fetcher.fetch(request))
    await eventually(request.started.is_set)
    await (await join(fetcher, stack, tmp_path / "honest")).hold()
    async with asyncio.timeout(15):
        await fetching
    assert fetcher.swarm.seeding.path(DIGEST).read_bytes() == DATA


async def test_no_stranger_is_believed_before_who_has_delivered(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await (await join(fetcher, stack, tmp_path / f"liar{number}")).hold(DATA[::-1] + bytes([number]))
    honest = await join(fetcher, stack, tmp_path / "honest")
    ref = await honest.hold()
    fetcher.swarm.reputation.note_delivered(("127.0.0.1", honest.session.port), 1)
    begun: list[bytes] = []
    download = fetcher.swarm.session.download

    def noted(hashes: lt.info_hash_t, *rest: Any, **options: Any) -> Any:
        begun.append(hashes.v2.to_bytes())
        return download(hashes, *rest, **options)

    monkeypatch.setattr(fetcher.swarm.session, "download", noted)
    await fetcher.fetch(BlobRequest(DIGEST))
    assert begun == [ref.v2]


async def test_who_is_only_named_as_a_peer_of_a_wrong_torrent_is_not_shunned(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path
) -> None:
    liar = await join(fetcher, stack, tmp_path / "liar")
    honest = await join(fetcher, stack, tmp_path / "honest")
    wrong = await liar.hold(DATA[::-1])
    named = [("127.0.0.1", party.session.port) for party in (honest, liar)]
    request = BlobRequest(DIGEST, wrong, tuple(named))
    with pytest.raises(IntegrityError):
        await fetcher.fetch(request)
    assert [fetcher.swarm.reputation.is_shunned(endpoint) for endpoint in named] == [False, True]


async def test_what_came_is_seeded_on(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    holder = await join(fetcher, stack, tmp_path / "holder")
    ref = await holder.hold()
    assert await fetcher.fetch(BlobRequest(DIGEST)) == ref
    await holder.session.stop()
    other = Party(tmp_path / "other")
    await other.session.start()
    stack.push_async_callback(other.session.stop)
    peers = [("127.0.0.1", fetcher.swarm.session.port)]
    async with Download(other.session, ref, tmp_path / "got", peers, 10.0) as download:
        await download.complete()
    assert download.file.read_bytes() == DATA


@pytest.mark.parametrize(
    ("length", "refusals"), [(5, (SwarmError, UnavailableError)), (fetcher_module.MAX_BLOB + 1, (NotFoundError,))]
)
async def test_a_false_claim_about_the_length(
    fetcher: SwarmFetcher,
    stack: AsyncExitStack,
    tmp_path: Path,
    length: int,
    refusals: tuple[type[LibreseedError], ...],
) -> None:
    await (await join(fetcher, stack, tmp_path / "liar")).hold(length=length)
    with pytest.raises(refusals):
        await fetcher.fetch(BlobRequest(DIGEST))


async def test_a_checked_record_rules_out_other_torrents(
    fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path
) -> None:
    """Claims that contradict it are not even tried; its own seeders are enough."""
    honest, liar = await join(fetcher, stack, tmp_path / "honest"), await join(fetcher, stack, tmp_path / "liar")
    ref = await honest.hold()
    await liar.hold(DATA[::-1])
    streams: list[SpooledStream] = []

    def stream(spool: Path) -> SpooledStream:
        streams.append(SpooledStream(spool, len(DATA)))
        return streams[0]

    name = TarballName("pkg", "pkg-1.0.0.tgz", "upstream")
    wanted = BlobRequest(DIGEST, ref, (("127.0.0.1", honest.session.port),), name, stream=stream)
    assert await fetcher.fetch(wanted) == ref
    assert wanted.started.is_set()
    assert not fetcher.swarm.reputation.is_shunned(("127.0.0.1", liar.session.port))
    assert [stream.written for stream in streams] == [len(DATA)]
    streams[0].close()


async def test_unchecked_bytes_are_not_passed_on(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    """From a claim alone nothing reaches a client before the SHA-512 is right."""
    await (await join(fetcher, stack, tmp_path / "holder")).hold()

    def stream(_: Path) -> SpooledStream:
        raise AssertionError("streamed")

    await fetcher.fetch(BlobRequest(DIGEST, stream=stream))


async def test_giving_up_leaves_nothing(fetcher: SwarmFetcher, stack: AsyncExitStack, tmp_path: Path) -> None:
    holder = await join(fetcher, stack, tmp_path / "holder")
    ref = await holder.hold()
    await holder.session.stop()
    fetching = asyncio.create_task(fetcher.fetch(BlobRequest(DIGEST, ref, (("127.0.0.1", 1),))))
    await eventually(lambda: left(fetcher))
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert left(fetcher) == []
    with pytest.raises(UnavailableError):
        await fetcher.fetch(BlobRequest(DIGEST))
    assert left(fetcher) == []
