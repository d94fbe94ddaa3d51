"""Publishes and changes packages: stores and seeds tarballs, extends the release history, and signs a new record."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from libreseed.errors import ConflictError, LibreseedError, NotFoundError
from libreseed.packages.access import AccessRules, Action
from libreseed.packages.changes import check_maintainer, modified
from libreseed.packages.integrity import parse_integrity
from libreseed.packages.names import tarball_file, version_of_tarball
from libreseed.packages.packument import Packument, check_published
from libreseed.packages.provenance import attestations_document
from libreseed.packages.publish import Release, Tarball, add_release, read_release
from libreseed.publishing.naming import NameClaims
from libreseed.publishing.signing import RecordSigner
from libreseed.store.tables.catalogue import PUBLISHED, TarballName
from libreseed.store.tables.documents import DocumentStore, StoredDocument, published_attestations
from libreseed.store.tables.publications import PublicationStore
from libreseed.swarm.seeding import Seeding
from libreseed.trust.history import events_between, integrity_of, revision
from libreseed.trust.records import BlobRef
from libreseed.trust.snapshot import Snapshot, TorrentRef

log = logging.getLogger(__name__)

Edit = Callable[[Packument], Packument]
"""A function of `packages.changes` with all its arguments but the packument bound."""


class Releases:
    """Publishes and changes packages under this node's key.

    Writes to one package are serialised, so that none is lost; those to different packages run concurrently.
    """

    def __init__(
        self,
        claims: NameClaims,
        *,
        publications: PublicationStore,
        documents: DocumentStore,
        seeding: Seeding,
        signer: RecordSigner,
        access: AccessRules,
    ) -> None:
        self._claims = claims
        self._publications = publications
        self._documents = documents
        self._seeding = seeding
        self._signer = signer
        self._access = access
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(
        self,
        name: str,
        body: object,
        user: str,
        tarballs: Mapping[str, Tarball] | None = None,
        files: Mapping[bytes, Path] | None = None,
    ) -> None:
        """Publish one version. `body` is the parsed JSON of the request, `tarballs` and `files` are what a
        PublishSpool has taken out of it.

        Raises InvalidInputError, IntegrityError, ConflictError for a version that exists, ForbiddenError for a name of
        somebody else, UnavailableError when that cannot be told now, StoreError.
        """
        release = await asyncio.to_thread(read_release, name, body, tarballs)
        async with self._locks[name]:
            await self._claims.check(name)
            old = await self._publications.find(name)
            if old is not None:
                self._check_maintainer(old, user, "publish")
            packument = add_release(old.packument if old else None, release, user, datetime.now(UTC))
            ref = await self._store_tarball(release, files or {})
            await self._seeding.sync(ref.sha512)  # before it is promised to the publisher
            if release.attestation is not None:
                document = StoredDocument(attestations_document(release.attestation), time.time())
                await self._documents.save(published_attestations(name, release.version), document)
            await self._keep(old, packument, {release.version: TorrentRef(ref.v1, ref.v2, ref.length)})

    async def change(self, name: str, user: str, edit: Edit, rev: str | None = None, action: Action = "publish") -> str:
        """Replace the present packument by the one that `edit` makes of it, and return its new `_rev`.

        With `rev`, only if that is the present `_rev`, so that the client changes the packument that it has read.
        Raises what `edit` raises, ConflictError for another `_rev`, ForbiddenError for a package of somebody else,
        NotFoundError for one that nobody published, UnavailableError when that cannot be told now, StoreError.
        """
        async with self._locks[name]:
            await self._claims.check(name)
            old = await self._publications.find(name)
            if old is None:
                raise NotFoundError(f"{name} has not been published on this node.")
            check_published(old.packument)
            self._check_maintainer(old, user, action)
            if rev not in (None, revision(old.history)):
                raise ConflictError(
                    f"{name} was changed by somebody else since it was read; nothing was done.",
                    hint="Run the command again.",
                )
            return await self._keep(old, modified(edit(old.packument), datetime.now(UTC)))

    async def remove_tarball(self, name: str, user: str, file: str) -> None:
        """Remove the tarball of an unpublished version, if the node stopped before it did so itself.

        Raises ConflictError while the version is published, and as `change`.
        """
        async with self._locks[name]:
            await self._claims.check(name)
            old = await self._publications.find(name)
            version = version_of_tarball(name, file)
            if old is None or integrity_of(old.history, version) is None:
                raise NotFoundError(f"{name} has no tarball {file[:200]}.")
            self._check_maintainer(old, user, "unpublish")
            if version in old.packument["versions"]:
                raise ConflictError(
                    f"{name}@{version} is published, and keeps its tarball as long as it is.",
                    hint=f"npm unpublish {name}@{version}",
                )
            await self._drop_tarball(old, version)

    async def packages_of(self, account: str) -> list[str]:
        """Return the names published here that an account may publish to, sorted. Raises StoreError."""
        return [
            name
            for name, maintainers in await self._publications.list_maintainers()
            if (
                self._access.allows("publish", name, account)
                if self._access.decides("publish", name)
                else account in maintainers
            )
        ]

    async def resume(self) -> None:
        """Complete writes that an earlier process was interrupted in: sign stored packages, remove unpublished
        tarballs."""
        for name in self._publications.names:
            async with self._locks[name]:
                try:
                    snapshot = await self._publications.find(name)
                    if snapshot is not None:
                        for version in snapshot.packument["time"].keys() - snapshot.torrents.keys():
                            await self._drop_tarball(snapshot, version)
                        await self._share(snapshot)
                except LibreseedError as error:
                    log.error("%s could not be signed again: %s", name, error)

    async def _keep(
        self, old: Snapshot | None, packument: Packument, added: Mapping[str, TorrentRef] | None = None
    ) -> str:
        """Store a new packument with the events that lead to it, and sign it. Return its `_rev`."""
        history = old.history if old else ()
        events = events_between(old.packument if old else None, packument, int(time.time() * 1000))
        if not events:
            return revision(history)
        torrents = {**(old.torrents if old else {}), **(added or {})}
        snapshot = Snapshot(
            packument,
            {version: ref for version, ref in torrents.items() if version in packument["versions"]},
            (*history, *events),
        )
        await self._publications.save(snapshot, len(history))
        for version in torrents.keys() - snapshot.torrents.keys():
            await self._drop_tarball(snapshot, version)
        await self._share(snapshot)
        return revision(snapshot.history)

    async def _store_tarball(self, release: Release, files: Mapping[bytes, Path]) -> BlobRef:
        digest = release.tarball.digest
        tarball = TarballName(release.name, tarball_file(release.name, release.version), PUBLISHED)
        shared = self._access.is_public(release.name)
        file = files.get(digest)
        if file is not None:
            return await self._seeding.add_file(file, digest, shared=shared, tarball=tarball)
        with release.tarball.open() as stream:
            return await self._seeding.add_bytes(stream.read(), digest, shared=shared, tarball=tarball)

    async def _share(self, snapshot: Snapshot) -> None:
        """Sign and seed a package, unless the access rules restrict who may read it."""
        if not self._access.is_public(snapshot.name):
            return
        for version in snapshot.torrents:
            digest = parse_integrity(integrity_of(snapshot.history, version) or "")
            if digest is not None and self._seeding.shared(digest) is None:
                await self._seeding.share(digest)
        await self._signer.sign("package", snapshot)

    def _check_maintainer(self, snapshot: Snapshot, user: str, action: Action) -> None:
        """Raise ForbiddenError unless `user` is a maintainer, or an access rule decides who may do `action`."""
        if not self._access.decides(action, snapshot.name):
            check_maintainer(snapshot.packument, user)

    async def _drop_tarball(self, snapshot: Snapshot, version: str) -> None:
        await self._documents.remove(published_attestations(snapshot.name, version))
        digest = parse_integrity(integrity_of(snapshot.history, version) or "")
        if digest is not None and self._seeding.find(digest) is not None:
            await self._seeding.drop(digest)
