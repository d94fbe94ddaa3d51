"""`npm publish` on this node: the version is stored and seeded, the history grows, the record is signed anew."""

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime

from libreseed.errors import ForbiddenError, NotFoundError, UnavailableError
from libreseed.packages.integrity import format_integrity
from libreseed.packages.names import tarball_file
from libreseed.packages.publish import add_release, read_release
from libreseed.publishing.signing import RecordSigner
from libreseed.store.publications import PublicationStore
from libreseed.store.trustfile import TrustFile
from libreseed.swarm.seeding import Seeding
from libreseed.trust.history import Event
from libreseed.trust.keys import format_key
from libreseed.trust.snapshot import Snapshot, TorrentRef
from libreseed.upstream.client import Upstream


class Releases:
    """Publishes under this node's key. One write to a package at a time; different packages side by side."""

    def __init__(
        self,
        key: bytes,
        publications: PublicationStore,
        seeding: Seeding,
        signer: RecordSigner,
        trust: TrustFile,
        upstream: Upstream | None,
    ) -> None:
        self._key = key
        self._publications = publications
        self._seeding = seeding
        self._signer = signer
        self._trust = trust
        self._upstream = upstream
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(self, name: str, body: object, user: str) -> None:
        """Publish one version. `body` is the parsed JSON of the request.

        Raises InvalidInputError, IntegrityError, ConflictError for a version that is there, ForbiddenError for a
        name of somebody else, UnavailableError when that cannot be told now, StoreError.
        """
        release = await asyncio.to_thread(read_release, name, body)
        async with self._locks[name]:
            await self._check_owner(name)
            old = await self._publications.find(name)
            packument = add_release(old.packument if old else None, release, user, datetime.now(UTC))
            ref = await self._seeding.add_bytes(
                release.tarball, release.digest, shared=True, tarball=(name, tarball_file(name, release.version))
            )
            now = int(time.time() * 1000)
            published = {"version": release.version, "integrity": format_integrity(release.digest)}
            old_tags = old.packument["dist-tags"] if old else {}
            moved = sorted(packument["dist-tags"].items() - old_tags.items())
            events = [
                Event("publish", now, published),
                *(Event("dist-tag", now, {"tag": tag, "version": tagged}) for tag, tagged in moved),
            ]
            history = old.history if old else ()
            snapshot = Snapshot(
                packument,
                {
                    **(old.torrents if old else {}),
                    release.version: TorrentRef(ref.v1, ref.v2, ref.length),
                },
                (*history, *events),
            )
            await self._publications.save(snapshot, len(history))
            await self._signer.sign("package", snapshot)

    async def _check_owner(self, name: str) -> None:
        """A name is ours when we published it or pinned it to ourselves, or when nobody else has it."""
        pinned = self._trust.rules().publisher_of(name)
        if self._publications.has(name) or pinned == self._key:
            return
        if pinned is not None:
            raise ForbiddenError(
                f"{name} is pinned to {format_key(pinned)}, which is not this node's key.",
                hint=f"If it is yours: libreseed trust remove '{name}'",
            )
        if self._upstream is None:
            return
        try:
            await self._upstream.packument(name)
        except NotFoundError:
            return
        except UnavailableError as error:
            raise UnavailableError(
                f"Whether {name} is free cannot be told now: {error.message}",
                hint=f"To take the name all the same: libreseed trust add '{name}' {format_key(self._key)}",
            ) from error
        raise ForbiddenError(
            f"{name} belongs to somebody else at the upstream registry.",
            hint=f"To use the name for your own package here: libreseed trust add '{name}' {format_key(self._key)}",
        )
