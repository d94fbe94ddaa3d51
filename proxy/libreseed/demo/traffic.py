"""Which tarball a node served from where, as its access log tells it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from libreseed.errors import InvalidInputError
from libreseed.packages.names import version_of_tarball
from libreseed.registry.guard import access_log
from libreseed.registry.paths import read_package_path


@dataclass(frozen=True, slots=True)
class Transfer:
    """One tarball that a client got: its size in bytes, and the milliseconds until the last byte was sent."""

    name: str
    version: str
    source: str
    bytes: int
    milliseconds: float


@contextmanager
def watch(url: str, seen: Callable[[Transfer], None]) -> Iterator[list[Transfer]]:
    """Call `seen` with each tarball that the node at `url` serves from now on; the list that is given collects them."""
    handler = _Handler(urlsplit(url).netloc, seen)
    level = access_log.level
    access_log.addHandler(handler)
    access_log.setLevel(logging.INFO)
    try:
        yield handler.transfers
    finally:
        access_log.setLevel(level)
        access_log.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, host: str, seen: Callable[[Transfer], None]) -> None:
        super().__init__()
        self.transfers: list[Transfer] = []
        self._host = host
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__
        if fields["host"] != self._host or fields["status"] != 200:
            return
        transfer = _read(fields["path"], fields["source"], fields["length"] or 0, fields["milliseconds"])
        if transfer is not None:
            self.transfers.append(transfer)
            self._seen(transfer)


def _read(path: str, source: str, length: int, milliseconds: float) -> Transfer | None:
    """Return None for what is not a tarball."""
    try:
        package = read_package_path(path)
        if len(package.rest) != 2 or package.rest[0] != "-":
            return None
        version = version_of_tarball(package.name, package.rest[1])
    except InvalidInputError:
        return None
    return Transfer(package.name, version, source, length, milliseconds)
