"""The npm package `libreseed`, which every node brings along: nobody else has to be asked, or may say what it is."""

import hashlib

import orjson

from libreseed.delivery.flight import FoundTarball
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.packages.names import tarball_file
from libreseed.shims.render import NAME, PACKED_AT, pack_tarball, render_package


class BundledPackage:
    """The package `libreseed` in the version of this program; rendering it blocks. Raises StoreError."""

    def __init__(self, version: str) -> None:
        self.name = NAME
        files = render_package(version)
        self._file = tarball_file(NAME, version)
        self._tarball = pack_tarball(files)
        self._digest = sha512(self._tarball)
        self.packument = orjson.dumps(
            {
                "name": NAME,
                "dist-tags": {"latest": version},
                "versions": {version: self._manifest(files)},
                "time": {"created": PACKED_AT, "modified": PACKED_AT, version: PACKED_AT},
            }
        )
        self.revision = sha512(self.packument)

    def tarball(self, file: str, integrity: bytes | None) -> FoundTarball | None:
        """Return the tarball, or None when another file, or other bytes than these are asked for."""
        if file != self._file or integrity not in (None, self._digest):
            return None
        return FoundTarball("store", len(self._tarball), digest=self._digest, data=self._tarball)

    def _manifest(self, files: dict[str, bytes]) -> dict[str, object]:
        dist = {
            "tarball": f"{NAME}/-/{self._file}",
            "integrity": format_integrity(self._digest),
            "shasum": hashlib.sha1(self._tarball, usedforsecurity=False).hexdigest(),
            "fileCount": len(files),
            "unpackedSize": sum(map(len, files.values())),
        }
        return {**orjson.loads(files["package.json"]), "dist": dist}
