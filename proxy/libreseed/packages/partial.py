"""Parses packuments only in part: a large one has thousands of versions, of which most callers need one.

msgspec locates the parts of a document ten times as fast as the whole can be parsed; orjson then parses those that are
needed, as it does whole documents. The JSON must have passed `check_packument` before.
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
"""The fields of a manifest that `with_tarballs` and `abbreviated` look into; others they only pass on."""


class _Versions(Mapping[str, Manifest]):
    """Manifests by version, each parsed whenever it is looked up."""

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
    """Return a packument whose `versions` is a read-only mapping that parses a manifest at each look-up."""
    parts = _PARTS.decode(body)
    versions = _Versions(_PARTS.decode(parts.pop(_VERSIONS)))
    return {**{key: _read(part) for key, part in parts.items()}, _VERSIONS: versions}


def read_for_forms(body: bytes) -> Packument:
    """Return a packument for `with_tarballs` and `abbreviated`, in which what they only pass on is still unparsed JSON.
    `write_form` serialises the result."""
    parts = _PARTS.decode(body)
    manifests: dict[str, dict[str, Any]] = _MANIFESTS.decode(parts.pop(_VERSIONS))
    for manifest in manifests.values():
        for key in _READ:
            if key in manifest:
                manifest[key] = _read(manifest[key])
    return {**{key: _read(part) for key, part in parts.items()}, _VERSIONS: manifests}


def write_form(packument: Packument) -> bytes:
    """Return the JSON of a packument that `read_for_forms` returned, or of a form made from one."""
    return msgspec.json.encode(packument)


def _read(part: msgspec.Raw) -> Any:
    return orjson.loads(memoryview(part))
