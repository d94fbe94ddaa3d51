"""Installs of small projects, in the test's own process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import orjson

from libreseed.modules.project import Project

SHIMS = {"package.json": b'{"name": "libreseed"}', "register.cjs": b""}


class Quiet:
    """Progress that nobody sees."""

    def stage(self, text: str, total: int = 0) -> None:
        pass

    def advance(self, source: str, size: int) -> None:
        pass


def at(url: str) -> Callable[[], AbstractAsyncContextManager[str]]:
    """Return the registry at a URL as `install` wants it."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[str]:
        yield url

    return opened


def version(project: Project, location: str) -> str:
    """Return the version of the package in a folder below `.libreseed_modules`."""
    manifest = orjson.loads((project.folder / location / "package.json").read_bytes())
    return str(manifest["version"])
