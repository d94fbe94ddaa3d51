"""Finds a port for BitTorrent, which listens on TCP and UDP."""

import contextlib
import socket

from libreseed.errors import SwarmError

PORT_TRIES = 5
"""How often it is tried: another process may take the one of both that was not taken yet."""


def free_port(host: str) -> int:
    """Return a port that is free on TCP and UDP at this moment. Raises SwarmError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        for _ in range(PORT_TRIES):
            with socket.socket(family, socket.SOCK_STREAM) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
                tcp.bind((host, 0))
                port: int = tcp.getsockname()[1]
                with contextlib.suppress(OSError):
                    udp.bind((host, port))
                    return port
    except OSError as error:
        raise SwarmError(
            f"BitTorrent cannot listen on {host}: {error.strerror}.", hint="Choose another --p2p-host."
        ) from error
    raise SwarmError(
        f"BitTorrent finds no port that is free on TCP and UDP on {host}.", hint="Name one with --p2p-port."
    )
