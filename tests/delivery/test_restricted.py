"""What needed credentials upstream is served, but never seeded or announced."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from libreseed.delivery.metadata.bundled import BundledPackage
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import Freshness, PackumentDelivery
from libreseed.delivery.metadata.policing import Policing
from libreseed.delivery.metadata.provenance import Provenance
from libreseed.delivery.metadata.records import RecordReader
from libreseed.delivery.metadata.refreshing import PackumentSources
from libreseed.delivery.metadata.signatures import Signatures
from libreseed.delivery.tarballs.delivery import TarballDelivery
from libreseed.delivery.tarballs.expected import ExpectedTarballs
from libreseed.delivery.tarballs.policy import TarballPolicy
from libreseed.delivery.tarballs.race import TarballRace
from libreseed.delivery.tarballs.stored import StoredTarballs
from libreseed.delivery.tarballs.upstream import STREAM_FROM, UpstreamFetcher
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.packages.access import AccessRules
from libreseed.packages.integrity import format_integrity
from libreseed.packages.policy import Policy
from libreseed.store.blobs import BlobStore
from libreseed.store.database import Database
from libreseed.store.tables.catalogue import Catalogue
from libreseed.store.tables.documents import DocumentStore
from libreseed.store.tables.overlay import OverlayStore
from libreseed.store.tables.packuments import PackumentStore
from libreseed.store.tables.publications import PublicationStore
from libreseed.store.tables.records import RecordStore
from libreseed.store.trustfile import TrustFile
from libreseed.swarm.seeding import Seeding
from libreseed.swarm.session import Session
from libreseed.swarm.settings import SessionSettings
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.settings import Credentials, UpstreamSettings
from support.seeding import make_fetcher
from upstream.fake_registry import FakeRegistry, Reply

SMALL, LARGE = bytes(1000), bytes(STREAM_FROM + 1)
JSON = {"Content-Type": "application/json"}
FILE = "tool-1.0.0.tgz"


@dataclass
class Delivery:
    """The delivery of a user who is logged in; `mirrored` are the names that were passed on."""

    packuments: PackumentDelivery
    tarballs: TarballDelivery
    seeding: Seeding
    mirrored: list[str]

    async def packument(self) -> None:
        await self.packuments.find("tool")

    async def tarball(self) -> bytes:
        found = await self.tarballs.find("tool", FILE, None, whole=True)
        return b"".join([chunk async for chunk in found.read()])


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as server:
        yield server


@pytest.fixture
async def delivery(registry: FakeRegistry, tmp_path: Path) -> AsyncIterator[Delivery]:
    async with AsyncExitStack() as stack:
        database = await Database.open(tmp_path / "database")
        stack.push_async_callback(database.close)
        blobs, catalogue = BlobStore(tmp_path / "blobs"), Catalogue(database)
        await blobs.open()
        await catalogue.open()
        publications = PublicationStore(database)
        await publications.open()
        session = Session(SessionSettings("127.0.0.1", 0, dht=False, lan=False, port_mapping=False))
        await session.start()
        stack.push_async_callback(session.stop)
        overlay = Overlay(OverlaySettings(host="127.0.0.1", port=0, p2p_port=session.port), OverlayStore(database))
        await overlay.start()
        stack.push_async_callback(overlay.stop)
        token = {f"//127.0.0.1:{registry.port}/": Credentials("Bearer secret")}
        upstream = Upstream(
            UpstreamSettings(registry.url, credentials=token), node_id="node-1", limits=Limits(access_again=0.0)
        )
        stack.push_async_callback(upstream.close)
        fetcher = make_fetcher(overlay, session, blobs, catalogue)
        seeding = fetcher.swarm.seeding
        policing = Policing(Policy())
        trust = TrustFile(tmp_path / "trust.json")
        bundled = BundledPackage("1.0.0")
        store = PackumentStore(database)
        ownership = Ownership(publications, trust=trust, upstream=upstream, access=AccessRules())
        mirrored: list[str] = []
        sources = PackumentSources(
            store,
            records=RecordReader(overlay, RecordStore(database), fetcher, seeding),
            upstream=upstream,
            ownership=ownership,
            on_upstream=lambda packument: mirrored.append(packument.name),
        )
        packuments = PackumentDelivery(
            publications,
            store=store,
            sources=sources,
            ownership=ownership,
            policing=policing,
            bundled=bundled,
            freshness=Freshness(upstream=0.0, max_wait=10.0),
        )
        stack.push_async_callback(packuments.close)
        provenance = Provenance(
            packuments, ownership=ownership, store=DocumentStore(database), trust=trust, upstream=upstream
        )
        stack.push_async_callback(provenance.close)
        signatures = Signatures(ownership, provenance, trust)
        expected = ExpectedTarballs(packuments, ownership, signatures)
        tarballs = TarballDelivery(
            policy=TarballPolicy(packuments, ownership, policing),
            bundled=bundled,
            expected=expected,
            stored=StoredTarballs(catalogue, seeding, ownership),
            race=TarballRace(fetcher, UpstreamFetcher(upstream, ownership, blobs, seeding, share=True), ownership),
            seeding=seeding,
        )
        stack.push_async_callback(tarballs.close)
        yield Delivery(packuments, tarballs, seeding, mirrored)


def script(registry: FakeRegistry, tarball: bytes, *, public: bool, files: str = "") -> bytes:
    """Let the registry have the package `tool`, its tarball perhaps elsewhere; returns the tarball's sha512."""
    digest = hashlib.sha512(tarball).digest()
    dist = {"tarball": f"{files or registry.url}tool/-/{FILE}", "integrity": format_integrity(digest)}
    manifest = {"name": "tool", "version": "1.0.0", "dist": dist}
    document = {"name": "tool", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}
    registry.on("/tool", Reply(body=json.dumps(document).encode(), headers={"ETag": '"1"'}), Reply(304))
    registry.on(f"/tool/-/{FILE}", Reply(body=tarball))
    registry.on("HEAD /tool", Reply(headers=JSON) if public else Reply(401))
    registry.on(f"HEAD /tool/-/{FILE}", Reply(length=len(tarball)) if public else Reply(401))
    return digest


@pytest.mark.parametrize("tarball", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("public", [True, False])
async def test_a_tarball_is_seeded_only_if_public(
    registry: FakeRegistry, delivery: Delivery, tarball: bytes, public: bool
) -> None:
    digest = script(registry, tarball, public=public)
    assert await delivery.tarball() == tarball
    assert (delivery.seeding.shared(digest) is not None) is public


@pytest.mark.parametrize("tarball", [SMALL, LARGE], ids=["small", "large"])
async def test_a_restricted_packages_tarball_is_not_seeded_wherever_it_is(
    registry: FakeRegistry, delivery: Delivery, tarball: bytes
) -> None:
    async with FakeRegistry() as files:  # where nobody is asked for credentials
        digest = script(registry, tarball, public=False, files=files.url)
        files.on(f"/tool/-/{FILE}", Reply(body=tarball))
        await delivery.packument()
        assert await delivery.tarball() == tarball
        assert len(files.requests) == 1
    assert delivery.seeding.shared(digest) is None


@pytest.mark.parametrize("public", [True, False])
async def test_a_packument_is_mirrored_only_if_public(registry: FakeRegistry, delivery: Delivery, public: bool) -> None:
    script(registry, SMALL, public=public)
    for _ in range(2):
        await delivery.packument()
    assert delivery.mirrored == ["tool"] * public


async def test_a_packument_is_mirrored_when_it_turns_out_to_be_public(
    registry: FakeRegistry, delivery: Delivery
) -> None:
    script(registry, SMALL, public=False)
    await delivery.packument()
    assert delivery.mirrored == []
    registry.on("HEAD /tool", Reply(headers=JSON))
    for _ in range(2):
        await delivery.packument()
    assert delivery.mirrored == ["tool"]


async def test_what_was_public_and_is_unchanged_stays_so(registry: FakeRegistry, delivery: Delivery) -> None:
    script(registry, SMALL, public=True)
    await delivery.packument()
    registry.on("HEAD /tool", Reply(503))
    await delivery.packument()
    stored = await delivery.packuments.stored("tool")
    assert stored is not None
    assert not stored.restricted
