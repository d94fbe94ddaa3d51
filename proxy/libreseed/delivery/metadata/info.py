"""Describes a package version: the origin of its metadata, and what vouches for its tarball."""

import asyncio
from typing import Any

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import FoundPackument, PackumentDelivery
from libreseed.delivery.metadata.signatures import Signatures
from libreseed.errors import BadSignatureError
from libreseed.packages.names import check_name, tarball_file
from libreseed.packages.packument import find_version
from libreseed.packages.partial import read_versions_lazily
from libreseed.store.tables.catalogue import Catalogue


class PackageInfo:
    """The source of `libreseed info`."""

    def __init__(
        self, packuments: PackumentDelivery, ownership: Ownership, signatures: Signatures, catalogue: Catalogue
    ) -> None:
        self._packuments = packuments
        self._ownership = ownership
        self._signatures = signatures
        self._catalogue = catalogue

    async def describe(self, name: str, wanted: str) -> tuple[dict[str, Any], FoundPackument]:
        """Describe the version that a version, dist-tag or range `wanted` stands for.

        `origin`: as in FoundPackument. `signature`: a SignatureState, or "wrong" with `problem`; "by its
        publisher" where a record vouches for it. Raises as `PackumentDelivery.find`, and NotFoundError.
        """
        check_name(name)
        found = await self._packuments.find(name)
        packument = await asyncio.to_thread(read_versions_lazily, found.body)
        version = find_version(packument, wanted)
        manifest = packument["versions"][version]
        signature, problem = "by its publisher", None
        if found.origin is not None and self._ownership.publisher_of(name) is None:
            try:
                signature = await self._signatures.check(found, packument, manifest)
            except BadSignatureError as error:
                signature, problem = "wrong", error.message
        time = packument.get("time")
        return {
            "name": name,
            "version": version,
            "description": manifest.get("description"),
            "deprecated": manifest.get("deprecated"),
            "published": time.get(version) if isinstance(time, dict) else None,
            "tags": [tag for tag, tagged in packument["dist-tags"].items() if tagged == version],
            "versions": len(packument["versions"]),
            "origin": found.origin,
            "source": found.source,
            "signature": signature,
            "problem": problem,
            "integrity": manifest["dist"].get("integrity"),
            "stored": self._catalogue.tarball(name, tarball_file(name, version)) is not None,
        }, found
