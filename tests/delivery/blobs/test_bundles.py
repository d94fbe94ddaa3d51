"""Many blobs in one torrent: holders are real sessions, found through a real overlay."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from libreseed.delivery.blobs import bundle_queue, bundles
from libreseed.delivery.blobs import fetcher as fetcher_module
from libreseed.delivery.blobs.fetcher import SwarmFetcher
from libreseed.delivery.blobs.request import BlobRequest
from libreseed.errors import IntegrityError
from libreseed.network.overlay.claims import Claim, HeldBlob
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.network.overlay.storage import MemoryStorage
from libreseed.packages.integrity import sha512
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue, TarballName
from libreseed.swarm import bundler as bundler_module
from libreseed.swarm.bundle import MAX_FILE, Member
from libreseed.swarm.bundler import Bundler as Makes
from libreseed.swarm.held import HeldBlobs
from libreseed.swarm.offers import Offers
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.swarm.torrents import make_torrent, pieces_root
from libreseed.trust.records import BlobRef
from support.bundles import BundlesBy, MakeBundles, make_none
from support.running import eventually
from support.seeding import make_fetcher
from swarm.conftest import seeded

BLOBS = [bytes((number * at) % 251 for number in range(20_000 + at)) for at in range(1, 9)]
NOWHERE = bytes([7] * 32)
"""The infohash of no torrent."""


class Bundler(BundlesBy):
    """What makes bundles for others as a test says; `usual` is what does otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.usual: MakeBundles = make_none


async def open_fetcher(
    root: Path, stack: AsyncExitStack, *known: SwarmFetcher, bundler: Bundler | None = None
) -> SwarmFetcher:
    """All of a node that fetches, and makes bundles of what it seeds."""
    bundler = bundler or Bundler()
    root.mkdir()
    session = Session(SessionSettings("127.0.0.1"))
    await session.start()
    stack.push_async_callback(session.stop)
    overlay = Overlay(OverlaySettings(p2p_port=session.port), MemoryStorage(), bundles=bundler)
    await overlay.start()
    stack.push_async_callback(overlay.stop)
    await overlay.bootstrap("{}:{}".format(*other.swarm.overlay.address) for other in known)
    database = await Database.open(root / "libreseed.db")
    stack.push_async_callback(database.close)
    blobs = BlobStore(root / ".swarm")
    await blobs.open()
    held = HeldBlobs()
    fetcher = make_fetcher(overlay, session, blobs, Catalogue(database), held)
    makes = Makes(fetcher.swarm.offers, blobs, held)
    bundler.make = bundler.usual = makes.bundle
    bundler.tell_members = makes.members
    stack.push_async_callback(fetcher.close)
    return fetcher


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def bundler() -> Bundler:
    return Bundler()


@pytest.fixture
async def holder(tmp_path: Path, stack: AsyncExitStack, bundler: Bundler) -> SwarmFetcher:
    return await open_fetcher(tmp_path / "holder", stack, bundler=bundler)


@pytest.fixture
async def fetcher(tmp_path: Path, stack: AsyncExitStack, holder: SwarmFetcher) -> SwarmFetcher:
    return await open_fetcher(tmp_path / "me", stack, holder)


@pytest.fixture
def no_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundles have nothing that was not asked for."""
    monkeypatch.setattr(bundler_module, "MAX_BYTES", 0)


@pytest.fixture
def torrents(fetcher: SwarmFetcher, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The v2 infohashes of all that is downloaded; none of a blob may be begun while it may come in a bundle."""
    begun: list[bytes] = []
    download = fetcher.swarm.session.download

    def noted(hashes: Any, *arguments: Any, **options: Any) -> Any:
        assert NOWHERE not in seeded(fetcher.swarm.session)
        begun.append(hashes.v2.to_bytes())
        return download(hashes, *arguments, **options)

    monkeypatch.setattr(fetcher.swarm.session, "download", noted)
    return begun


async def hold(holder: SwarmFetcher, blobs: Sequence[bytes] = BLOBS) -> list[BlobRef]:
    refs = [await holder.swarm.seeding.add_bytes(data, sha512(data), shared=True) for data in blobs]
    await holder.swarm.overlay.announce(HeldBlob(ref.sha512, ref.v1, ref.v2, ref.length) for ref in refs)
    return refs


async def fetch(fetcher: SwarmFetcher, refs: Sequence[BlobRef]) -> list[BlobRef | BaseException]:
    fetching = (
        fetcher.fetch(BlobRequest(ref.sha512, tarball=TarballName("pkg", ref.sha512.hex(), "upstream"))) for ref in refs
    )
    return await asyncio.gather(*fetching, return_exceptions=True)


def left(fetcher: SwarmFetcher) -> list[Path]:
    return list((fetcher.swarm.blobs.path(NOWHERE).parents[2] / "incoming").iterdir())


async def test_many_come_in_one_torrent_and_are_seeded_by_their_own(
    holder: SwarmFetcher, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    refs = await hold(holder)
    assert await fetch(fetcher, refs) == refs
    assert len({*torrents}) == 1, "perhaps begun anew"
    assert torrents[0] not in {ref.v2 for ref in refs}
    assert [fetcher.swarm.seeding.shared(ref.sha512) for ref in refs] == refs
    assert seeded(fetcher.swarm.session) == {ref.v2 for ref in refs} | {*torrents}, "the bundle goes on for others"
    assert len(left(fetcher)) == 1, "and its files stay as long"


async def test_one_alone_comes_by_its_own_torrent(
    holder: SwarmFetcher, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    ref, *_ = await hold(holder)
    assert await fetch(fetcher, [ref]) == [ref]
    assert torrents == [ref.v2]


async def test_large_ones_come_by_their_own(holder: SwarmFetcher, fetcher: SwarmFetcher, torrents: list[bytes]) -> None:
    refs = await hold(holder, [bytes(MAX_FILE + 1), b"1" * (MAX_FILE + 1)])
    assert await fetch(fetcher, refs) == refs
    assert set(torrents) == {ref.v2 for ref in refs}


async def test_a_holder_that_makes_no_bundles(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    bundler.make = lambda *_: ()
    refs = await hold(holder)
    assert await fetch(fetcher, refs) == refs
    assert set(torrents) == {ref.v2 for ref in refs}


@pytest.mark.usefixtures("no_companions")
async def test_what_the_holder_leaves_out_comes_by_its_own_torrent(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    refs = await hold(holder)
    bundler.make = lambda digests, fetched: bundler.usual(sorted(digests)[1:], fetched)
    assert await fetch(fetcher, refs) == refs
    assert set(torrents[1:]) == {min(refs, key=lambda ref: ref.sha512).v2}


@pytest.mark.usefixtures("no_companions")
async def test_what_waits_comes_in_the_next_bundle_of_a_limited_size(
    holder: SwarmFetcher,
    bundler: Bundler,
    fetcher: SwarmFetcher,
    torrents: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def bundle(digests: Sequence[bytes], fetched: Collection[bytes]) -> Sequence[bytes]:
        asked.append(len(digests))
        return bundler.usual(digests, fetched)

    bundler.make = bundle
    monkeypatch.setattr(bundle_queue, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(bundle_queue, "MAX_ASKED", 3)
    refs = await hold(holder)
    assert await fetch(fetcher, refs) == refs
    assert asked == [3, 3, 2]
    monkeypatch.setattr(bundle_queue, "MAX_BYTES", 1)
    assert await fetch(fetcher, more := await hold(holder, [data[1:] for data in BLOBS])) == more
    assert asked == [3, 3, 2], "one of them is enough, and one alone is no bundle"


@pytest.mark.usefixtures("no_companions")
async def test_what_waits_has_started_once_the_holder_delivers(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each that waits would be sought elsewhere, as if nobody delivered it."""
    started: list[list[bool]] = []

    def bundle(digests: Sequence[bytes], fetched: Collection[bytes]) -> Sequence[bytes]:
        started.append([wanted.started.is_set() for wanted in all_wanted if wanted.digest in digests])
        return bundler.usual(digests, fetched)

    bundler.make = bundle
    monkeypatch.setattr(bundle_queue, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(bundle_queue, "MAX_ASKED", 4)
    refs = await hold(holder)
    all_wanted = [BlobRequest(ref.sha512) for ref in refs]
    assert await asyncio.gather(*map(fetcher.fetch, all_wanted)) == refs
    assert started == [[False] * 4, [True] * 4]


async def test_a_bundle_that_does_not_come(
    holder: SwarmFetcher,
    bundler: Bundler,
    fetcher: SwarmFetcher,
    torrents: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundles, "STALL", 0.5)
    monkeypatch.setattr(fetcher_module, "_ASK_AGAIN", 0.05)
    bundler.make = lambda *_: [NOWHERE]
    refs = await hold(holder)
    assert await fetch(fetcher, refs) == refs
    assert NOWHERE in torrents
    assert {ref.v2 for ref in refs} <= {*torrents}
    await eventually(lambda: left(fetcher) == [])


async def test_holders_are_sought_again_when_a_bundle_that_had_begun_does_not_come(
    holder: SwarmFetcher,
    bundler: Bundler,
    fetcher: SwarmFetcher,
    tmp_path: Path,
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundles, "STALL", 1.0)
    monkeypatch.setattr(fetcher_module, "_ASK_AGAIN", 0.02)
    refs = await hold(holder, BLOBS[:2])
    torrents_held = [make_torrent(holder.swarm.seeding.path(ref.sha512), ref.sha512) for ref in refs]
    members = [Member(each.ref.sha512, each.ref.length, pieces_root(each.metadata)) for each in torrents_held]
    stalls = Offers(holder.swarm.session).offer(members, [tmp_path / "not" / "there" for _ in members])
    assert stalls
    bundler.make = lambda *_: [stalls]
    gone = Overlay(OverlaySettings(p2p_port=9), MemoryStorage())
    await gone.start()
    stack.push_async_callback(gone.stop)
    await gone.bootstrap(["{}:{}".format(*holder.swarm.overlay.address)])
    await gone.announce(HeldBlob(ref.sha512, ref.v1, ref.v2, ref.length) for ref in refs)
    requests = [BlobRequest(ref.sha512) for ref in refs]
    search, heard = fetcher.swarm.overlay.find_holders, set()

    async def while_the_holder_restarts(digest: bytes, *, nearby: bool = False) -> AsyncGenerator[Claim, None]:
        async for claim in search(digest, nearby=nearby):
            if nearby or stalls not in seeded(fetcher.swarm.session):
                yield claim
            elif claim.endpoint[1] == gone.p2p_port:
                heard.add(digest)
                yield claim

    monkeypatch.setattr(fetcher.swarm.overlay, "find_holders", while_the_holder_restarts)
    fetching = asyncio.gather(*map(fetcher.fetch, requests))
    await eventually(lambda: heard == {ref.sha512 for ref in refs})
    for request in requests:
        request.started.set()  # as by another bundle of this holder that began to come
    assert await asyncio.wait_for(fetching, 10) == refs


def bundle_with_a_lie(holder: SwarmFetcher, refs: Sequence[BlobRef], folder: Path) -> bytes:
    """Seed a bundle with other bytes than were promised, among right ones; return its infohash."""
    file = folder / sha512(b"promised").hex()
    file.write_bytes(b"deceived")
    places = [*(holder.swarm.seeding.path(ref.sha512) for ref in refs), file]
    made = [make_torrent(place, bytes.fromhex(place.name)) for place in places]
    members = [Member(each.ref.sha512, each.ref.length, pieces_root(each.metadata)) for each in made]
    return Offers(holder.swarm.session).offer(members, places)


async def test_wrong_bytes_spoil_no_others(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, tmp_path: Path
) -> None:
    refs = await hold(holder)
    digest = sha512(b"promised")
    bundler.make = lambda *_: [bundle_with_a_lie(holder, refs, tmp_path)]
    await holder.swarm.overlay.announce([HeldBlob(digest, bytes(20), bytes(32), len(b"deceived"))])
    lie = BlobRef(bytes(20), bytes(32), len(b"deceived"), digest)
    *got, refused = await fetch(fetcher, [*refs, lie])
    assert got == refs
    assert isinstance(refused, IntegrityError)
    assert fetcher.swarm.reputation.is_shunned(("127.0.0.1", holder.swarm.session.port))
    assert not fetcher.swarm.blobs.has(digest)
    await eventually(lambda: left(fetcher) == [])


async def test_who_leaves_does_not_spoil_it_for_the_others(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher
) -> None:
    refs = await hold(holder)
    asked = asyncio.Event()

    def bundle(digests: Sequence[bytes], fetched: Collection[bytes]) -> Sequence[bytes]:
        asked.set()
        return bundler.usual(digests, fetched)

    bundler.make = bundle
    tasks = [asyncio.create_task(fetcher.fetch(BlobRequest(ref.sha512))) for ref in refs]
    await asked.wait()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert [task.result() for task in tasks[1:]] == refs[1:]


async def test_closing_ends_what_is_under_way(holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher) -> None:
    refs = await hold(holder)
    asked = asyncio.Event()
    bundler.make = lambda *_: (asked.set(), [NOWHERE])[1]
    fetching = asyncio.create_task(fetch(fetcher, refs))
    await asked.wait()
    await fetcher.close()
    assert seeded(fetcher.swarm.session) <= {ref.v2 for ref in refs}
    fetching.cancel()
    await asyncio.wait([fetching])


async def test_what_is_wanted_later_of_an_open_bundle_need_not_be_asked_for(
    holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    refs = await hold(holder)
    assert await fetch(fetcher, refs[:2]) == refs[:2]
    bundler.make = make_none
    await holder.swarm.overlay.stop()
    assert await fetch(fetcher, refs[2:]) == refs[2:]
    assert len({*torrents}) == 1


async def test_a_bundle_that_was_closed_is_opened_again(
    holder: SwarmFetcher, fetcher: SwarmFetcher, torrents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "OPEN", 0.0)
    refs = await hold(holder)
    for wanted in (refs[:2], refs[2:4], refs[4:]):
        assert await fetch(fetcher, wanted) == wanted
        await eventually(lambda: not fetcher.bundles._open)
    assert len({*torrents}) == 1
    assert len(left(fetcher)) == 1


async def test_together_with_others_all_of_a_bundle_comes(
    holder: SwarmFetcher, fetcher: SwarmFetcher, tmp_path: Path, stack: AsyncExitStack
) -> None:
    """What another host wants is probably wanted here soon; it is not stored before."""
    other = await open_fetcher(tmp_path / "other", stack, holder)
    refs = await hold(holder)
    assert await fetch(fetcher, refs[:2]) == refs[:2]
    assert await fetch(other, refs[:2]) == refs[:2]
    (folder,) = left(other)
    assert len(left(fetcher)) == 1
    await eventually(lambda: sum(1 for file in folder.rglob("*") if file.is_file()) == len(refs))
    assert not any(other.swarm.blobs.has(ref.sha512) for ref in refs[2:])


async def test_a_wrong_blob_that_nobody_wanted_is_not_passed_on(
    holder: SwarmFetcher,
    bundler: Bundler,
    fetcher: SwarmFetcher,
    tmp_path: Path,
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who passes it on would count as a liar."""
    monkeypatch.setattr(bundles, "OPEN", 0.2)
    refs = await hold(holder, BLOBS[:2])
    bundler.make = lambda *_: [bundle_with_a_lie(holder, refs, tmp_path)]
    other = await open_fetcher(tmp_path / "other", stack, holder)
    assert await fetch(fetcher, refs) == refs
    assert await fetch(other, refs) == refs
    await eventually(lambda: left(other) == [])
    assert other.swarm.reputation.is_shunned(("127.0.0.1", holder.swarm.session.port))


@pytest.mark.parametrize("told", [b"", bytes(99), bytes(100), bytes(8100)])
async def test_a_holder_that_does_not_tell_what_is_in_a_bundle(
    told: bytes, holder: SwarmFetcher, bundler: Bundler, fetcher: SwarmFetcher, torrents: list[bytes]
) -> None:
    """Then it is told by BitTorrent (BEP 9)."""
    bundler.tell_members = lambda _: told
    refs = await hold(holder)
    assert await fetch(fetcher, refs) == refs
    assert len({*torrents}) == 1
