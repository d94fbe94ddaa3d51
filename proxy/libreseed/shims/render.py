"""Renders the npm package `libreseed` and packs it as npm does."""

import gzip
import io
import tarfile
from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from libreseed.resources import resource_folder

NAME = "libreseed"
FOLDERS = ("node-shims", "bundler-plugins")

_SUFFIX = ".j2"
_MANIFEST = "package.json"
_PACKED_AT = 499162500
"""The time that `npm pack` gives to every file, so that the same files make the same tarball."""


def render_package(version: str) -> dict[str, bytes]:
    """Return the files of the npm package, path -> content; the same for the same version.

    Raises StoreError when the installation lacks its templates.
    """
    environment = Environment(
        loader=FileSystemLoader([resource_folder(f"shims/templates/{name}", name) for name in FOLDERS]),
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
            info.mtime = _PACKED_AT
            tar.addfile(info, io.BytesIO(files[path]))
    return gzip.compress(archive.getvalue(), compresslevel=9, mtime=0)
