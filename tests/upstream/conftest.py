"""Fixtures of the upstream's tests: a scripted registry, and certificates for a TLS one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from upstream.fake_registry import FakeRegistry


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(key)
    chain = [*leaf.cert_chain_pems, authority.cert_pem]
    cert.write_bytes(b"".join(blob.bytes() for blob in chain))
    return cert, key
