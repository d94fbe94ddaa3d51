"""The properties that a tarball must have, gathered from its packument before it is fetched."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace

from cachetools import LRUCache

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import FoundPackument, PackumentDelivery
from libreseed.delivery.metadata.signatures import Signatures
from libreseed.errors import IntegrityError, InvalidInputError, NotFoundError
from libreseed.packages.integrity import format_integrity, parse_integrity
from libreseed.packages.packument import Packument, manifest_of_tarball, upstream_tarball
from libreseed.packages.partial import read_versions_lazily
from libreseed.store.tables.catalogue import PUBLISHED, TarballName
from libreseed.store.tables.packuments import StoredPackument, is_upstreams_origin
from libreseed.trust.records import BlobRef, Endpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the tarball `file` of `name` before it is fetched.

    `digest` is its SHA-512 (64 bytes), `shasum` the hex SHA-1 of old packages, `url` its URL at the upstream, `ref` its
    torrent in the publisher's snapshot, with the `seeders` in the publisher's record.
    """

    name: str
    file: str
    digest: bytes | None = None
    shasum: str | None = None
    url: str | None = None
    ref: BlobRef | None = None
    seeders: tuple[Endpoint, ...] = ()
    restricted: bool = False
    origin: str | None = None
    """Whose word it is that `digest` is right; None when a client demands it, and nobody who is believed says so."""

    @property
    def label(self) -> str:
        """The tarball's name in messages."""
        return f"{self.file} of {self.name}"

    @property
    def tarball(self) -> TarballName | None:
        """What a blob with the right SHA-512 may be called, None when only a client says that it is right."""
        return TarballName(self.name, self.file, self.origin) if self.origin is not None else None

    def check(self, strong: "hashlib._Hash", weak: "hashlib._Hash") -> bytes:
        """Return the SHA-512 of what the upstream sent, given the SHA-512 (`strong`) and SHA-1 (`weak`) of it. Raises
        IntegrityError when it is not `digest`, or, without a `digest`, the SHA-1 is not `shasum`."""
        digest = strong.digest()
        if self.digest is not None and digest != self.digest:
            raise IntegrityError(
                f"The upstream's {self.label} has {format_integrity(digest)}, but"
                f" {format_integrity(self.digest)} is required; it was not stored.",
                hint="The lock file or the packument and the upstream disagree; do not install it before you know why.",
            )
        if self.digest is None and self.shasum and weak.hexdigest() != self.shasum.lower():
            raise IntegrityError(
                f"The upstream's {self.label} has sha1 {weak.hexdigest()}, but {self.shasum} is required;"
                " it was not stored."
            )
        return digest


class ExpectedTarballs:
    """Reads the properties of tarballs from packuments. The `kept` packuments used last are cached in parsed form,
    since clients ask for several tarballs of one package in a row."""

    def __init__(
        self, packuments: PackumentDelivery, ownership: Ownership, signatures: Signatures, *, kept: int = 64
    ) -> None:
        self._packuments = packuments
        self._ownership = ownership
        self._signatures = signatures
        self._parsed: LRUCache[str, tuple[bytes, Packument]] = LRUCache(kept)

    async def expect(self, name: str, file: str, integrity: bytes | None) -> Expected:
        """Gather what is known of a tarball. The source of the packument is asked only when neither the stored one nor
        the client tells the integrity.

        `integrity` is the SHA-512 that the client demands, None if it does not. Raises NotFoundError, BadSignatureError
        when the registry did not sign what is known, and as `PackumentDelivery.find_whole` does.
        """
        stored = await self._packuments.stored(name)
        expected = Expected(name, file)
        if stored is not None:
            try:
                expected = await self._read(stored, file, self._packuments.seeders_of(name))
            except NotFoundError:
                log.debug("The stored packument of %s does not know %s.", name, file)
        if integrity is None and expected.digest is None and not self._ownership.is_upstreams(name):
            found = await self._packuments.find_whole(name)
            return await self._read(found, file, found.seeders)
        restricted = expected.restricted or await self._ownership.is_private(name)
        if integrity is None:
            return replace(expected, restricted=restricted)
        if expected.digest not in (None, integrity):
            return Expected(name, file, integrity, restricted=restricted)
        origin = expected.origin if expected.digest is not None else None
        return replace(expected, digest=integrity, restricted=restricted, origin=origin)

    async def _read(
        self, packument: StoredPackument | FoundPackument, file: str, seeders: tuple[Endpoint, ...]
    ) -> Expected:
        """Return the properties of its tarball `file` in `packument`.

        Raises NotFoundError when it has no such tarball, BadSignatureError when the registry did not sign that.
        """
        parsed = await self._parse(packument)
        manifest = manifest_of_tarball(parsed, file)
        await self._signatures.check(packument, parsed, manifest)
        dist = manifest["dist"]
        try:
            digest = parse_integrity(str(dist.get("integrity", "")))
        except InvalidInputError as error:
            raise NotFoundError(f"{packument.name} has no usable integrity for {file}.") from error
        torrent = packument.torrents.get(str(manifest.get("version")))
        ref = None
        if torrent is not None and digest is not None:
            ref = BlobRef(bytes.fromhex(torrent[0]), bytes.fromhex(torrent[1]), torrent[2], digest)
        # Only the upstream's own packument gives a URL to fetch from: a mirror's could name any server.
        from_upstream = isinstance(packument, StoredPackument) and is_upstreams_origin(packument.origin)
        url = upstream_tarball(manifest) if from_upstream else None
        return Expected(
            name=packument.name,
            file=file,
            digest=digest,
            shasum=dist.get("shasum"),
            url=url,
            ref=ref,
            seeders=seeders,
            restricted=packument.restricted,
            origin=PUBLISHED if packument.origin is None else packument.origin,
        )

    async def _parse(self, packument: StoredPackument | FoundPackument) -> Packument:
        kept = self._parsed.get(packument.name)
        if kept is not None and kept[0] is packument.body:
            return kept[1]
        parsed = await asyncio.to_thread(read_versions_lazily, packument.body)
        self._parsed[packument.name] = (packument.body, parsed)
        return parsed
