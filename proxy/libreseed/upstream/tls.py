"""TLS contexts that trust the certificate authorities that npm trusts."""

import ssl
import tempfile
from pathlib import Path

from libreseed.errors import ConfigError
from libreseed.upstream.settings import Credentials, Tls


def make_context(tls: Tls, credentials: Credentials | None) -> ssl.SSLContext:
    """Return the TLS context for a registry. Reads files (blocking).

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
    # Python 3.13 sets VERIFY_X509_STRICT (RFC 5280), which Node does not, and which many companies' authorities fail.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not tls.strict:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _read(file: str) -> str:
    """Return the PEM text in a file, "" when it is missing, which npm and Node ignore as well."""
    try:
        return Path(file).read_text(encoding="ascii", errors="ignore") if file else ""
    except FileNotFoundError:
        return ""


def _load_inline(context: ssl.SSLContext, tls: Tls) -> None:
    # Python's `ssl` loads client certificates from files only; the temporary folder has mode 700.
    with tempfile.TemporaryDirectory(prefix="libreseed-tls-") as folder:
        cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        cert.write_text(tls.cert, encoding="ascii")
        key.write_text(tls.key, encoding="ascii")
        context.load_cert_chain(cert, key)
