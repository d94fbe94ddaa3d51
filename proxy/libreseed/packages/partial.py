"""Packuments read only in part: a large one has thousands of versions, of which most readers want one.

msgspec finds where the parts of a document are ten times as fast as all of it can be read; what is wanted of them is
read by orjson, as whole documents are. The JSON must have been checked before (`check_packument`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from libreseed.packages.packument import REPLACED_BY, Manifest, Packument

_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MANIFESTS = msgspec.json.Decoder(dict[str, dict[str, msgspec.Raw]])
_VERSIONS = "versions"
_READ = ("dist", "scripts", REPLACED_BY)
"""What the forms of a packument are made by, beside the fields of the package itself."""


class _Versions(Mapping[str, Manifest]):
    """Manifests by version, each read when it is asked for."""

    def __init__(self, parts: dict[str, msgspec.Raw]) -> None:
        self._parts = parts

    def __getitem__(self, version: str) -> Manifest:
        manifest: Manifest = _read(self._parts[version])
        return manifest

    def __contains__(self, version: object) -> bool:
        return version in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def read_versions_lazily(body: bytes) -> Packument:
    """Return a packument whose `versions` is a read-only mapping that reads a manifest each time it is asked for."""
    parts = _PARTS.decode(body)
    versions = _Versions(_PARTS.decode(parts.pop(_VERSIONS)))
    return {**{key: _read(part) for key, part in parts.items()}, _VERSIONS: versions}


def read_for_forms(body: bytes) -> Packument:
    """Return a packument that `with_tarballs` and `abbreviated` can make forms of: whatever they only pass on is JSON
    still. `write_form` writes it."""
    parts = _PARTS.decode(body)
    manifests: dict[str, dict[str, Any]] = _MANIFESTS.decode(parts.pop(_VERSIONS))
    for manifest in manifests.values():
        for key in _READ:
            if key in manifest:
                manifest[key] = _read(manifest[key])
    return {**{key: _read(part) for key, part in parts.items()}, _VERSIONS: manifests}


def write_form(packument: Packument) -> bytes:
    """Return the JSON of what `read_for_forms` began."""
    return msgspec.json.encode(packument)


def _read(part: msgspec.Raw) -> Any:
    return orjson.loads(memoryview(part))
