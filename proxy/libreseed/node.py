"""The running node, composed of its parts."""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Coroutine
from typing import Any

from libreseed import __version__
from libreseed.accounts.attempts import Attempts
from libreseed.accounts.login import Login
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.config import Settings
from libreseed.delivery.advisories import Advisories
from libreseed.delivery.bundled import BundledPackage
from libreseed.delivery.info import PackageInfo
from libreseed.delivery.ownership import Ownership
from libreseed.delivery.packuments import Freshness, PackumentDelivery
from libreseed.delivery.policing import Policing
from libreseed.delivery.provenance import Provenance
from libreseed.delivery.records import RecordReader
from libreseed.delivery.refreshing import PackumentSources
from libreseed.delivery.search import Search
from libreseed.delivery.signatures import Signatures
from libreseed.delivery.sources import SourceCounter
from libreseed.delivery.swarmfetch import SwarmFetcher
from libreseed.delivery.tarballs import TarballDelivery
from libreseed.errors import LibreseedError
from libreseed.packages.access import read_access
from libreseed.packages.policy import read_policy
from libreseed.peering import OVERLAY, P2P, start_overlay, start_session
from libreseed.publishing.announcing import Announcing
from libreseed.publishing.mirroring import Mirroring
from libreseed.publishing.releases import Releases
from libreseed.publishing.signing import RecordSigner
from libreseed.publishing.withholding import find_withheld
from libreseed.registry.app import Services, make_app
from libreseed.registry.server import HttpServer
from libreseed.store.accounts import AccountStore
from libreseed.store.blobs import BlobStore
from libreseed.store.catalogue import Catalogue
from libreseed.store.database import Database
from libreseed.store.documents import DocumentStore
from libreseed.store.keyring import Keyring
from libreseed.store.listings import ListingStore
from libreseed.store.packuments import PackumentStore
from libreseed.store.ports import PortStore
from libreseed.store.prepared import PreparedStore
from libreseed.store.publications import PublicationStore
from libreseed.store.records import RecordStore
from libreseed.store.rootlock import RootLock
from libreseed.store.secondfactors import SecondFactorStore
from libreseed.store.shelf import OverlayShelf
from libreseed.store.stars import StarStore
from libreseed.store.tokens import TokenStore
from libreseed.store.trustfile import TrustFile
from libreseed.swarm.seeding import Seeding
from libreseed.trust.keys import format_key
from libreseed.trust.records import Endpoint
from libreseed.upstream.client import Upstream
from libreseed.upstream.declared import read_declared
from libreseed.upstream.limits import Limits
from libreseed.upstream.npmrc import Own, read_settings
from libreseed.upstream.settings import UpstreamSettings

log = logging.getLogger(__name__)

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104


class Node:
    """One node: `await Node.start(settings)`, then `await node.stop()`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counter = SourceCounter()
        self.trust = TrustFile(settings.trust_file)
        self._node_id = secrets.token_hex(8)
        self._cleanup = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, settings: Settings) -> "Node":
        """Start all parts; the network is joined behind it. Raises a LibreseedError that says what is in the way."""
        node = cls(settings)
        try:
            await node._start()
        except BaseException:
            await node.stop()
            raise
        return node

    async def stop(self) -> None:
        """Stop all parts in the reverse order of their start."""
        await self._cleanup.aclose()

    @property
    def url(self) -> str:
        """The URL of the registry."""
        host = "localhost" if self.settings.host in ("127.0.0.1", "::1", *_WILDCARDS) else self.settings.host
        return f"http://{host}:{self._http.port}"

    async def _start(self) -> None:
        settings = self.settings
        self._policing = policing = Policing(read_policy(settings.policy, settings.minimum_release_age))
        access = read_access(settings.access, settings.groups)
        self._cleanup.enter_context(RootLock(settings.state_dir))
        self._key = await asyncio.to_thread(Keyring(settings.keys_dir).default)
        database = await Database.open(settings.database_file)
        self._cleanup.push_async_callback(database.close)
        self._http = HttpServer(settings.host, settings.port)
        self._cleanup.push_async_callback(self._http.stop)

        blobs = BlobStore(settings.swarm_dir)
        await blobs.open()
        self._catalogue = Catalogue(database)
        await self._catalogue.open()
        publications = PublicationStore(database)
        await publications.open()
        accounts, tokens = AccountStore(database), TokenStore(database)
        await tokens.open()
        factors = SecondFactors(SecondFactorStore(database), Attempts())
        records = RecordStore(database)

        ports = PortStore(database)
        self._session = await start_session(settings, ports)
        self._cleanup.push_async_callback(self._session.stop)
        await ports.save(P2P, self._session.port)
        self._overlay = await start_overlay(settings, ports, OverlayShelf(database), self._session.port)
        self._cleanup.push_async_callback(self._overlay.stop)
        await ports.save(OVERLAY, self._overlay.address[1])

        self._upstream = await self._open_upstream()
        if self._upstream is not None:
            self._cleanup.push_async_callback(self._upstream.close)
        self._seeding = Seeding(blobs, self._catalogue, self._session)
        fetcher = SwarmFetcher(self._overlay, self._session, blobs, self._seeding)
        self._cleanup.push_async_callback(fetcher.close)
        packument_store = PackumentStore(database)
        bundled = await asyncio.to_thread(BundledPackage, __version__)
        ownership = Ownership(publications, self.trust, self._upstream, bundled, access)
        sources = PackumentSources(
            packument_store,
            RecordReader(self._overlay, records, fetcher),
            self._upstream,
            ownership,
            mirrors_needed=settings.mirrors_needed,
        )
        self._packuments = PackumentDelivery(
            publications,
            packument_store,
            sources,
            ownership,
            policing,
            bundled,
            freshness=Freshness(upstream=settings.max_age),
        )
        documents = DocumentStore(database)
        provenance = Provenance(self._packuments, ownership, documents, self.trust, self._upstream)
        signatures = Signatures(ownership, provenance, self.trust)
        tarballs = TarballDelivery(
            self._catalogue,
            blobs,
            self._seeding,
            fetcher,
            self._packuments,
            ownership,
            signatures,
            self._upstream,
            policing,
            bundled,
            hedge=settings.hedge,
            share=settings.share,
        )
        signer = RecordSigner(
            self._key, records, self._seeding, self._overlay, self._endpoints, packument_store, access
        )
        self._mirroring = Mirroring(signer, (self._packuments, tarballs))
        self._announcing = Announcing(self._overlay)
        if settings.share:
            sources.on_upstream = self._mirroring.add
        self._overlay.on_bundle = self._seeding.bundle
        self._seeding.on_shared = self._announcing.add
        self._seeding.on_dropped = self._announcing.withdraw
        releases = Releases(
            self._key.public, publications, documents, self._seeding, signer, self.trust, self._upstream, access
        )

        self._cleanup.push_async_callback(self._end_tasks)
        await self._seeding.open(await find_withheld(access, self._catalogue, records))
        self._own(
            self._announcing.run(),
            self._mirroring.run(),
            signer.run(),
            releases.resume(),
            self._overlay.bootstrap(settings.bootstrap),
        )
        search = Search(self._packuments, ownership, ListingStore(database), self._upstream, policing)
        app = make_app(
            Services(
                self._packuments,
                PreparedStore(database),
                tarballs,
                releases,
                blobs,
                accounts,
                tokens,
                factors,
                Login(accounts, factors),
                access,
                StarStore(database),
                Advisories(ownership, self._upstream),
                provenance,
                signatures,
                PackageInfo(self._packuments, ownership, signatures, self._catalogue),
                search,
                self.counter,
                self.status,
            ),
            hosts=settings.allow_hosts,
            node_id=self._node_id,
        )
        await self._http.serve(app)
        self._cleanup.push_async_callback(self._http.stop)
        # These end first, while the server still answers: who waits for a fetch is told so.
        self._cleanup.push_async_callback(self._packuments.close)
        self._cleanup.push_async_callback(provenance.close)
        self._cleanup.push_async_callback(search.close)
        self._cleanup.push_async_callback(tarballs.close)
        self._cleanup.push_async_callback(policing.close)

    async def status(self) -> dict[str, Any]:
        """Return what `GET /-/libreseed/status` shows (DESIGN's command-line contract)."""
        return {
            "version": __version__,
            "publisher": format_key(self._key.public),
            "overlay": _address(*self._overlay.address),
            "p2p": _address(self.settings.p2p_host, self._session.port),
            "peers": {"overlay": self._overlay.peers, "bittorrent": self._session.peers},
            "store": {
                "packages": self._catalogue.packages,
                "tarballs": self._catalogue.tarballs,
                "bytes": self._seeding.size,
            },
            "served": self.counter.as_json(),
            "upstream": {
                "url": self._upstream.url if self._upstream else None,
                "requests": self._upstream.requests if self._upstream else 0,
            },
            "upstreams": self._upstream.state() if self._upstream else [],
            "mirroring": self._mirroring.waiting,
            "announcing": self._announcing.waiting,
        }

    async def _open_upstream(self) -> Upstream | None:
        settings, own = self.settings, Own(self.settings.host, self._http.port)
        declared = await asyncio.to_thread(read_declared, settings.upstreams, own, os.environ)
        if settings.upstream == "none" and not declared:
            return None
        return Upstream(
            UpstreamSettings(None)
            if settings.upstream == "none"
            else lambda: read_settings(self.settings.upstream, own),
            declared,
            node_id=self._node_id,
            limits=Limits().within(settings.upstream_timeout),
            offline=settings.offline,
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        """Our own address in records, where it is known; others find it by our claims all the same."""
        host = self.settings.p2p_host
        return () if host in _WILDCARDS else ((host, self._session.port),)

    def _own(self, *works: Coroutine[Any, Any, None]) -> None:
        for work in works:
            task = asyncio.create_task(work)
            task.add_done_callback(_report)
            self._tasks.append(task)

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _address(host: str, port: int) -> str:
    if host in _WILDCARDS:
        host = "127.0.0.1" if host == _WILDCARDS[0] else "::1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _report(task: "asyncio.Task[None]") -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, LibreseedError):
        log.error("%s", error)
    elif error is not None:
        log.error("A part of the node failed", exc_info=error)
