"""Addresses of nodes: reading and showing them, telling local from public ones, and the prefix that quotas count."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from libreseed.errors import ConfigError

Address = tuple[str, int]
"""IP address in its canonical text and UDP port."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A node of the overlay; `p2p_port` is its BitTorrent port, 0 when it has none."""

    ip: str
    port: int
    p2p_port: int


_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def is_wildcard(host: str) -> bool:
    """Tell whether a host stands for all addresses of this machine."""
    return host in _WILDCARDS


def show_address(host: str, port: int) -> str:
    """Return `host:port` or `[IPv6]:port`; a wildcard address becomes the loopback one."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def show_url(host: str, port: int) -> str:
    """Return the URL of the registry; a wildcard or loopback address becomes `localhost`."""
    is_local = is_wildcard(host) or host in _WILDCARDS.values()
    return f"http://{'localhost' if is_local else host}:{port}"


@lru_cache(maxsize=8192)
def canonical_ip(text: str) -> str:
    """Return the one spelling of an IP address: no zone, and IPv4 as IPv4 even when mapped into IPv6.

    Raises ValueError.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


LOOPBACK, PRIVATE, PUBLIC, NOBODY = 0, 1, 2, -1


@lru_cache(maxsize=8192)
def scope_of(ip: str) -> int:
    """Return how far an address reaches: LOOPBACK, PRIVATE (or link-local), PUBLIC; NOBODY when it names no host."""
    address = ipaddress.ip_address(ip)
    if address.is_loopback:
        return LOOPBACK
    if address.is_unspecified or address.is_multicast or ip == "255.255.255.255":
        return NOBODY
    return PUBLIC if address.is_global else PRIVATE


def is_plausible(endpoint: Address, told_by: str) -> bool:
    """Tell whether an address that a node told us can be meant for us.

    A public node has no business with our loopback or private addresses, nor a colleague with our loopback.
    """
    ip, port = endpoint
    return 0 < port < 1 << 16 and scope_of(ip) >= max(scope_of(told_by), LOOPBACK)


@lru_cache(maxsize=8192)
def prefix_of(ip: str) -> bytes:
    """Return what one party holds at least: an IPv4 address, or the /64 of an IPv6 address."""
    return ipaddress.ip_address(ip).packed[:8]


def parse_contact(text: str) -> Address:
    """Read `host:port` or `[IPv6]:port`; the host may be a name. Raises ConfigError."""
    host, colon, digits = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    port = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 5 else 0
    if not colon or not host or not 0 < port < 1 << 16 or (":" in host and not bracketed) or " " in host:
        raise ConfigError(
            f"{text[:120]!r} is not the address of a bootstrap node.",
            hint="Write host:port, 192.0.2.1:port or [2001:db8::1]:port.",
        )
    return host, port
