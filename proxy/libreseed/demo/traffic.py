"""Collects what a node serves, and from which source, from its access log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from libreseed.errors import InvalidInputError
from libreseed.packages.names import version_of_tarball
from libreseed.registry.http.guard import access_log
from libreseed.registry.http.paths import read_package_path


@dataclass(frozen=True, slots=True)
class Transfer:
    """One tarball that a client got: its size in bytes, and the milliseconds until the last byte was sent."""

    name: str
    version: str
    source: str
    bytes: int
    milliseconds: float


class TrafficListener(Protocol):
    """Is told of each response at once."""

    def looked_up(self, name: str) -> None:
        """Note that a client got the packument of `name`."""

    def transfer(self, transfer: Transfer) -> None:
        """Note that a client got a tarball."""


@dataclass(slots=True)
class Traffic:
    """The responses of a node: name -> source of its packument when it was first asked for, and the tarballs."""

    metadata: dict[str, str] = field(default_factory=dict)
    tarballs: list[Transfer] = field(default_factory=list)


@contextmanager
def watch(url: str, listener: TrafficListener) -> Iterator[Traffic]:
    """Collect the responses of the node at `url` from now on, and pass them to `listener`."""
    handler = _Handler(urlsplit(url).netloc, listener)
    level = access_log.level
    access_log.addHandler(handler)
    access_log.setLevel(logging.INFO)
    try:
        yield handler.traffic
    finally:
        access_log.setLevel(level)
        access_log.removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, host: str, listener: TrafficListener) -> None:
        super().__init__()
        self.traffic = Traffic()
        self._host = host
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__
        if fields["host"] != self._host or fields["status"] != 200:
            return
        try:
            package = read_package_path(fields["path"])
            match package.rest:
                case ():
                    self.traffic.metadata.setdefault(package.name, fields["source"])
                    self._listener.looked_up(package.name)
                case ("-", file):
                    version = version_of_tarball(package.name, file)
                    size, milliseconds = fields["length"] or 0, fields["milliseconds"]
                    transfer = Transfer(package.name, version, fields["source"], size, milliseconds)
                    self.traffic.tarballs.append(transfer)
                    self._listener.transfer(transfer)
        except InvalidInputError:
            return  # not the path of a package
