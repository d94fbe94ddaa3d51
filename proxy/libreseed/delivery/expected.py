"""What is already known about a tarball before it is fetched, from the packument in the store."""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from libreseed.delivery.packuments import FoundPackument
from libreseed.delivery.signatures import Signatures
from libreseed.errors import IntegrityError, InvalidInputError, NotFoundError
from libreseed.packages.integrity import format_integrity, parse_integrity
from libreseed.packages.packument import Packument, manifest_of_tarball, upstream_tarball
from libreseed.packages.partial import read_versions_lazily
from libreseed.store.packuments import StoredPackument, is_upstreams_origin
from libreseed.trust.records import BlobRef, Endpoint


@dataclass(frozen=True, slots=True)
class Expected:
    """What the bytes of a tarball must be, as far as it is known.

    `digest` is the SHA-512 (64 bytes), `shasum` the hex SHA-1 of old packages, `url` where the upstream keeps it,
    `ref` the torrent from its publisher's checked record, with the publisher's `seeders`.
    """

    digest: bytes | None = None
    shasum: str | None = None
    url: str | None = None
    ref: BlobRef | None = None
    seeders: tuple[Endpoint, ...] = ()
    restricted: bool = False
    vouched: bool = False
    """Whether `digest` stands in the packument, and is not only what a client says."""

    def check(self, name: str, file: str, strong: "hashlib._Hash", weak: "hashlib._Hash") -> bytes:
        """Return the SHA-512 of what the upstream sent. Raises IntegrityError when something else was promised."""
        digest = strong.digest()
        if self.digest is not None and digest != self.digest:
            raise IntegrityError(
                f"The upstream's {file} of {name} has {format_integrity(digest)}, but"
                f" {format_integrity(self.digest)} is required; it was not stored.",
                hint="The lock file or the packument and the upstream disagree; do not install it before you know why.",
            )
        if self.digest is None and self.shasum and weak.hexdigest() != self.shasum.lower():
            raise IntegrityError(
                f"The upstream's {file} of {name} has sha1 {weak.hexdigest()}, but {self.shasum} is required;"
                " it was not stored."
            )
        return digest


class ExpectedTarballs:
    """Reads what packuments say of tarballs; the parsed ones used last are kept, since clients ask for one
    tarball after the other of the same package."""

    def __init__(self, signatures: Signatures, kept: int = 64) -> None:
        self._signatures = signatures
        self._kept = kept
        self._parsed: OrderedDict[str, tuple[bytes, Packument]] = OrderedDict()

    async def read(
        self, packument: StoredPackument | FoundPackument, file: str, seeders: tuple[Endpoint, ...]
    ) -> Expected:
        """Return what `packument` says of its tarball `file`.

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
        # Only the upstream may say where its tarballs are: a mirror could send us anywhere.
        from_upstream = isinstance(packument, StoredPackument) and is_upstreams_origin(packument.origin)
        url = upstream_tarball(manifest) if from_upstream else None
        return Expected(digest, dist.get("shasum"), url, ref, seeders, packument.restricted)

    async def _parse(self, packument: StoredPackument | FoundPackument) -> Packument:
        kept = self._parsed.get(packument.name)
        if kept is not None and kept[0] is packument.body:
            self._parsed.move_to_end(packument.name)
            return kept[1]
        parsed = await asyncio.to_thread(read_versions_lazily, packument.body)
        self._parsed[packument.name] = (packument.body, parsed)
        while len(self._parsed) > self._kept:
            self._parsed.popitem(last=False)
        return parsed
