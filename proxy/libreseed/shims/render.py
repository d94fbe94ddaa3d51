"""Renders the npm package `libreseed` and packs it as npm does."""

import io
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from libreseed.caching import identity, keep, recall
from libreseed.resources import resource_folder

NAME = "libreseed"
FOLDERS = ("node-shims", "bundler-plugins")

_SUFFIX = ".j2"
_MANIFEST = "package.json"
PACKED_AT = "1985-10-26T08:15:00.000Z"
"""The modification time that `npm pack` gives to every file, so that the same files make the same tarball."""

_BLOCK = 0xFFFF
"""Bytes of a stored block of deflate (RFC 1951, 3.2.4)."""


def render_package(version: str, cache: Path | None = None) -> dict[str, bytes]:
    """Return the files of the npm package, path -> content; the same for the same version on every machine. Blocks.

    They are cached in the file `cache` until the templates change.
    Raises StoreError when the installation lacks its templates.
    """
    folders = [resource_folder(f"shims/templates/{name}", name) for name in FOLDERS]
    if cache is None:
        return _render(version, folders)
    templates = [path for folder in folders for path in sorted(folder.glob(f"**/*{_SUFFIX}"))]
    key = (version, *map(identity, templates))
    kept = recall(cache, key)
    if isinstance(kept, dict):
        return {path: text.encode() for path, text in kept.items()}
    files = _render(version, folders)
    keep(cache, key, {path: data.decode() for path, data in files.items()})
    return files


def _render(version: str, folders: Sequence[Path]) -> dict[str, bytes]:
    # Imported here because that takes a fifth of the start of an install.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - it renders JavaScript and JSON, not HTML
    )
    paths = sorted(name.removesuffix(_SUFFIX) for name in environment.list_templates() if name.endswith(_SUFFIX))
    packed = [path for path in paths if path != _MANIFEST]  # npm packs the manifest without being told
    return {
        path: environment.get_template(path + _SUFFIX).render(name=NAME, version=version, files=packed).encode()
        for path in paths
    }


def pack_tarball(files: Mapping[str, bytes]) -> bytes:
    """Return an npm tarball of the files: everything below `package/`, in order of path, without owner or time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(files[path])
            info.mode = 0o644
            info.mtime = int(datetime.fromisoformat(PACKED_AT).timestamp())
            tar.addfile(info, io.BytesIO(files[path]))
    return _gzip(archive.getvalue())


def _gzip(data: bytes) -> bytes:
    """Return `data` in gzip's format (RFC 1952) without compression, whose result would differ between zlib
    versions."""
    blocks = [data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)]
    stored = [
        struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ _BLOCK) + block
        for number, block in enumerate(blocks, start=1)
    ]
    end = struct.pack("<II", zlib.crc32(data), len(data))
    return b"".join([b"\x1f\x8b\x08\0\0\0\0\0\0\xff", *stored, end])
