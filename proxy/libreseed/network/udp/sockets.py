"""The overlay's UDP socket."""

import asyncio
import socket

from libreseed.errors import ConfigError, NetworkError

_RECEIVE_BUFFER = 1 << 20
"""Bytes: room for a burst of announcements while the process is busy."""


async def bind_udp(host: str, port: int) -> socket.socket:
    """Open a non-blocking UDP socket on an address, port 0 for a free one. On `::` it serves IPv4 as well.

    Raises ConfigError for a host that is no address here, NetworkError when the port is taken or not ours.
    """
    loop = asyncio.get_running_loop()
    try:
        family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"The overlay cannot listen on {host}: {error.strerror}.") from error
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise NetworkError(
            f"The overlay cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another UDP port with --overlay-port; 0 picks a free one.",
        ) from error
    return sock
