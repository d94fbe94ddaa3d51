"""TLS contexts that believe whom npm believes."""

import ssl
import tempfile
from pathlib import Path

from libreseed.errors import ConfigError
from libreseed.upstream.settings import Credentials, Tls


def make_context(tls: Tls, credentials: Credentials | None) -> ssl.SSLContext:
    """Return the context for a registry. Reads files, so keep it off the event loop.

    Raises ConfigError: a certificate or key that npm is configured with cannot be read.
    """
    try:
        context = _trusting(tls)
        if credentials is not None and credentials.certfile:
            context.load_cert_chain(credentials.certfile, credentials.keyfile)
        elif tls.cert and tls.key:
            _load_inline(context, tls)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"A certificate that npm is configured with cannot be used: {error}.",
            hint="Check npm's ca, cafile, cert, key, certfile and keyfile.",
        ) from error
    return context


def _trusting(tls: Tls) -> ssl.SSLContext:
    authorities = "\n".join((*tls.ca, _read(tls.cafile)))
    if authorities.strip():
        context = ssl.create_default_context(cadata=authorities)
    else:
        context = ssl.create_default_context()
        if extra := _read(tls.extra_cafile):
            context.load_verify_locations(cadata=extra)
    # Python 3.13 turns on RFC 5280's strict mode, which Node does not have and many company authorities fail.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not tls.strict:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read(file: str) -> str:
    """Return the PEM text in a file, "" when it is not there: npm and Node pass over a missing one as well."""
    try:
        return Path(file).read_text(encoding="ascii", errors="ignore") if file else ""
    except FileNotFoundError:
        return ""


def _load_inline(context: ssl.SSLContext, tls: Tls) -> None:
    # Python's OpenSSL takes certificates and keys from files only; the folder is open to nobody but us.
    with tempfile.TemporaryDirectory(prefix="libreseed-tls-") as folder:
        cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        cert.write_text(tls.cert, encoding="ascii")
        key.write_text(tls.key, encoding="ascii")
        context.load_cert_chain(cert, key)
