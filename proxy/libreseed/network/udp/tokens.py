"""Write tokens (BEP 5): who wants to store must first show that it receives at the address it sends from."""

import hashlib
import hmac
import os
import time
from collections.abc import Callable

ROTATION = 300.0
"""Seconds after which a new secret comes; a token is good for one to two of them."""
_LENGTH = 8


class Tokens:
    """Makes and checks the tokens of IP addresses; keeps nothing but two secrets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secrets = (os.urandom(16), os.urandom(16))
        self._rotated_at = clock()

    def issue(self, ip: str) -> bytes:
        """Return the 8-byte token of an address."""
        self._rotate()
        return _token(self._secrets[0], ip)

    def accepts(self, ip: str, token: bytes) -> bool:
        """Tell whether `token` was issued to `ip` at most ten minutes ago."""
        self._rotate()
        return any(hmac.compare_digest(_token(secret, ip), token) for secret in self._secrets)

    def _rotate(self) -> None:
        elapsed = self._clock() - self._rotated_at
        if elapsed >= ROTATION:
            latest = os.urandom(16) if elapsed >= 2 * ROTATION else self._secrets[0]
            self._secrets = (os.urandom(16), latest)
            self._rotated_at = self._clock()


def _token(secret: bytes, ip: str) -> bytes:
    return hashlib.blake2b(ip.encode(), key=secret, digest_size=_LENGTH).digest()
