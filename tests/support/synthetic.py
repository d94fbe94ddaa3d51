"""Packages made up for measurements: incompressible, the same on each machine, served by a small registry."""

import contextlib
import io
import json
import random
import tarfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from libreseed.packages.integrity import format_integrity, sha512


@dataclass(frozen=True, slots=True)
class Package:
    """A package of one version, 1.0.0."""

    name: str
    tarball: bytes

    @property
    def path(self) -> str:
        """The path of its tarball."""
        return f"/{self.name}/-/{self.name}-1.0.0.tgz"

    @property
    def integrity(self) -> str:
        """What a lock file says of it."""
        return format_integrity(sha512(self.tarball))

    @property
    def digest(self) -> bytes:
        """Its SHA-512."""
        return sha512(self.tarball)


def make_package(name: str, size: int, seed: int) -> Package:
    """Make a package of about `size` bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        content = random.Random(seed).randbytes(max(size - 200, 1))
        manifest = json.dumps({"name": name, "version": "1.0.0"}).encode()
        for path, data in (("package/package.json", manifest), ("package/data.bin", content)):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return Package(name, packer.compress(archive.getvalue()) + packer.flush())


def big_package(size: int = 60_000_000) -> list[Package]:
    """One package of 60 MB."""
    return [make_package("big", size, 0)]


def small_packages(count: int, largest: int = 4_000_000) -> list[Package]:
    """Packages with sizes as npm's are spread: a median of 18 KB, a few of megabytes."""
    sizes = random.Random(1)
    return [
        make_package(f"small-{number:04}", min(largest, max(900, int(sizes.lognormvariate(9.8, 1.6)))), number)
        for number in range(count)
    ]


def write_locked_project(folder: Path, packages: Sequence[Package], registry: str) -> Path:
    """Write package.json and package-lock.json that ask for all of these, locked to a registry."""
    folder.mkdir(parents=True)
    wanted = {package.name: "1.0.0" for package in packages}
    manifest = {"name": "app", "version": "1.0.0", "dependencies": wanted}
    entries: dict[str, Any] = {"": manifest} | {
        f"node_modules/{package.name}": {
            "version": "1.0.0",
            "resolved": registry + package.path,
            "integrity": package.integrity,
        }
        for package in packages
    }
    lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": entries}
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


@contextlib.contextmanager
def serving(packages: Sequence[Package]) -> Iterator[str]:
    """Serve packages on loopback, and give the registry's URL."""
    answers: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}/"
    for package in packages:
        dist = {"integrity": package.integrity, "tarball": url.rstrip("/") + package.path}
        manifest = {"name": package.name, "version": "1.0.0", "dist": dist}
        packument = {"name": package.name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}
        answers[f"/{package.name}"] = json.dumps(packument).encode()
        answers[package.path] = package.tarball
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
