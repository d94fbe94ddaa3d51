"""Handmade packages: tarballs, packuments, and the bodies that npm sends to publish them."""

import base64
import gzip
import hashlib
import io
import tarfile
from typing import Any

import orjson

from libreseed.packages.integrity import format_integrity, sha512


def make_tarball(name: str, version: str, filler: bytes = b"") -> bytes:
    """Pack a package.json, and `filler` as a second file. The same arguments give the same bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        manifest = orjson.dumps({"name": name, "version": version})
        for path, data in (("package/package.json", manifest), ("package/filler.bin", filler)):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(archive.getvalue(), mtime=0)


def manifest_of(name: str, version: str, tarball: bytes, url: str = "") -> dict[str, Any]:
    """Return the version manifest of a tarball."""
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    dist = {
        "integrity": format_integrity(sha512(tarball)),
        "shasum": hashlib.sha1(tarball, usedforsecurity=False).hexdigest(),
        "tarball": f"{url}{name}/-/{file}",
    }
    return {"name": name, "version": version, "dist": dist}


def publish_body(name: str, version: str, tarball: bytes | None = None) -> dict[str, Any]:
    """Return the body of `npm publish`."""
    tarball = make_tarball(name, version) if tarball is None else tarball
    attachment = {
        "content_type": "application/octet-stream",
        "data": base64.b64encode(tarball).decode(),
        "length": len(tarball),
    }
    return {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": version},
        "versions": {version: manifest_of(name, version, tarball, "http://localhost:4880/")},
        "access": None,
        "_attachments": {f"{name}-{version}.tgz": attachment},
    }


PREDICATE = "https://slsa.dev/provenance/v1"


def make_bundle(digest: bytes, **statement: Any) -> dict[str, Any]:
    """Return a Sigstore bundle, as far as a registry reads it, about the tarball with this SHA-512."""
    subject = [{"name": "pkg:npm/any", "digest": {"sha512": digest.hex()}}]
    content = {"predicateType": PREDICATE, "subject": subject, **statement}
    payload = base64.b64encode(orjson.dumps(content)).decode()
    return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": {"payload": payload}}
