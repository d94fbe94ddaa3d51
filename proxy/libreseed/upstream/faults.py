"""Translates errors of HTTP exchanges with a registry into our own."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from yarl import URL

from libreseed.errors import ForbiddenError, LibreseedError, NotFoundError, UnauthorizedError, UnavailableError
from libreseed.upstream.limits import Limits
from libreseed.upstream.retries import TransientError, parse_retry_after

_MISSING = frozenset({404, 410, 451})
_TRANSIENT = frozenset({408, 420, 429})


def shown(url: URL) -> str:
    """Return the URL without what may be a secret: user, password, query."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


@contextmanager
def faults_named(url: URL, limits: Limits) -> Iterator[None]:
    """Translate errors of aiohttp in the body: into TransientError where a retry may help, else UnavailableError."""
    try:
        yield
    except (aiohttp.ClientError, ssl.SSLError, ValueError) as error:
        raise _named(error, f"The upstream's {shown(url)}", limits) from error


def _named(error: Exception, where: str, limits: Limits) -> UnavailableError:
    match error:
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return UnavailableError(
                f"{where} has no TLS certificate that we can trust: {error}.",
                hint="If a company's authority has signed it, set npm's cafile to that authority's certificate.",
            )
        case aiohttp.ConnectionTimeoutError():
            # No TransientError: the system has retransmitted its packets, and each retry would wait as long again.
            return UnavailableError(f"{where} took no connection within {limits.connect:g} s.")
        case aiohttp.ServerTimeoutError():
            return TransientError(f"{where} sent nothing for {limits.idle:g} s.")
        case aiohttp.ClientConnectorError():
            return TransientError(f"{where} cannot be reached: {error.os_error.strerror or error.os_error}.")
        case aiohttp.ClientPayloadError():
            return TransientError(f"{where} ended before it was complete.")
        case aiohttp.ClientConnectionError():
            return TransientError(f"{where} broke the connection off.")
        case _:
            return UnavailableError(f"{where} gave an answer that is not HTTP ({type(error).__name__}).")


def fault_of_status(status: int, url: URL, retry_after: str) -> LibreseedError:
    """Return the error that an HTTP status other than success stands for."""
    where = shown(url)
    if status in _MISSING:
        return NotFoundError(f"The upstream has no {where} (HTTP {status}).")
    if status == 401:
        return UnauthorizedError(f"The upstream wants credentials for {where}.", hint="Log in with npm login.")
    if status == 403:
        return ForbiddenError(f"The upstream does not allow {where}.")
    if status in _TRANSIENT or status >= 500:
        return TransientError(f"The upstream failed for {where} (HTTP {status}).", wait=parse_retry_after(retry_after))
    return UnavailableError(f"The upstream gave an unexpected answer for {where} (HTTP {status}).")
