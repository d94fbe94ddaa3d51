"""The npm package `libreseed`, which every node renders itself; no other source is asked for it or trusted."""

import hashlib

import orjson

from libreseed.packages.integrity import format_integrity, sha512
from libreseed.packages.names import tarball_file
from libreseed.shims.render import NAME, PACKED_AT, pack_tarball, render_package


class BundledPackage:
    """The package `libreseed` in the version of this program; rendering it blocks. `digest` is its tarball's SHA-512.

    Raises StoreError.
    """

    def __init__(self, version: str) -> None:
        self.name = NAME
        files = render_package(version)
        self._file = tarball_file(NAME, version)
        self._tarball = pack_tarball(files)
        self.digest = sha512(self._tarball)
        self.packument = orjson.dumps(
            {
                "name": NAME,
                "dist-tags": {"latest": version},
                "versions": {version: self._manifest(files)},
                "time": {"created": PACKED_AT, "modified": PACKED_AT, version: PACKED_AT},
            }
        )
        self.revision = sha512(self.packument)

    def tarball(self, file: str, integrity: bytes | None) -> bytes | None:
        """Return the tarball, or None when `file` or the demanded SHA-512 `integrity` is another."""
        return self._tarball if file == self._file and integrity in (None, self.digest) else None

    def _manifest(self, files: dict[str, bytes]) -> dict[str, object]:
        dist = {
            "tarball": f"{NAME}/-/{self._file}",
            "integrity": format_integrity(self.digest),
            "shasum": hashlib.sha1(self._tarball, usedforsecurity=False).hexdigest(),
            "fileCount": len(files),
            "unpackedSize": sum(map(len, files.values())),
        }
        return {**orjson.loads(files["package.json"]), "dist": dist}
