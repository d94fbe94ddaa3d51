"""Time-based one-time passwords (RFC 6238, over RFC 4226): SHA-1, six digits, steps of 30 seconds."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote

STEP = 30
_DIGITS = 6
_SECRET_BYTES = 20
_DRIFT = 1
"""Steps before and after the present one whose codes are accepted (RFC 6238, 5.2)."""
_ISSUER = "LibreSeed"
_RECOVERY_CODES = 5


def new_secret() -> bytes:
    """Return a new shared secret of 20 bytes, as RFC 4226, section 4 recommends."""
    return secrets.token_bytes(_SECRET_BYTES)


def code_at(secret: bytes, step: int, digits: int = _DIGITS) -> str:
    """Return the code of a time step, the Unix time divided by 30: HOTP of RFC 4226, 5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: bytes, code: str, now: float) -> int | None:
    """Return the time step whose code this is, at most one from that of `now` (seconds since the epoch); else None."""
    current = int(now) // STEP
    for step in range(current - _DRIFT, current + _DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None


def otpauth_url(secret: bytes, account: str) -> str:
    """Return the otpauth:// URL that authenticator apps read, often as a QR code."""
    text = base64.b32encode(secret).decode()
    return f"otpauth://totp/{quote(f'{_ISSUER}:{account}')}?secret={text}&issuer={_ISSUER}"


def new_recovery_codes() -> list[str]:
    """Return 5 codes for an owner who has lost the authenticator, each of 64 hex digits: npm's prompt takes only a
    one-time password or that."""
    return [secrets.token_hex(32) for _ in range(_RECOVERY_CODES)]
