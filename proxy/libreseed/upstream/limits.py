"""Time-outs, retries and size limits of requests to the upstream."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes.

    `connect`: one connection with its TLS handshake. `packument`: a whole packument, retries included.
    `answer`: until the headers of a tarball are there, retries included. `idle`: between two parts of a body.
    `retries`: after the first attempt. `backoff`: before the first retry, doubled for each further one.
    `retry_after`: the longest wait that the upstream may ask for; if it asks for more, we give up at once.
    `access`: for the request that tells whether a package is public. `access_again`: until that is asked again.
    `npm_again`: until npm's configuration, if it could not be read, is read again.
    `faults`: failed connections in a row after which the circuit breaker of a server opens. `pause`: until it lets one
    request try the server, doubled after each failed try up to `longest_pause`.
    `connections`: open at a time, per host.
    """

    connect: float = 5.0
    packument: float = 60.0
    answer: float = 60.0
    idle: float = 30.0
    retries: int = 2
    backoff: float = 0.25
    retry_after: float = 5.0
    access: float = 5.0
    access_again: float = 3600.0
    npm_again: float = 30.0
    faults: int = 10
    pause: float = 5.0
    longest_pause: float = 60.0
    connections: int = 32
    redirects: int = 5
    packument_bytes: int = 256 * 1024 * 1024
    tarball_bytes: int = 2 * 1024 * 1024 * 1024

    def within(self, timeout: float) -> "Limits":
        """Return the same limits with `timeout` seconds for an answer, for half of which a connection may be silent."""
        connect = min(self.connect, timeout)
        return replace(self, packument=timeout, answer=timeout, idle=timeout / 2, connect=connect)
