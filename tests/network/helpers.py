"""Signed records, blobs, and waiting for what nodes do in the background."""

import asyncio
import os
import time
from collections.abc import Callable

from libreseed.network.addresses import Address
from libreseed.network.overlay.claims import HeldBlob
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import PrivateKey
from libreseed.trust.records import BlobRef, Record, sign_record


def text(address: Address) -> str:
    ip, port = address
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


async def eventually(condition: Callable[[], object], timeout: float = 5.0) -> None:
    """Wait for what a node does in the background."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.002)


def blob() -> HeldBlob:
    return HeldBlob(os.urandom(64), os.urandom(20), os.urandom(32), 1234)


def record_of(
    name: str = "lodash",
    key: PrivateKey | None = None,
    *,
    seq: int | None = None,
    expiry: float = 3600,
    length: int = 9,
) -> SignedItem:
    """Return a signed package record; `expiry` is in seconds from now, `length` makes it another one."""
    snapshot = BlobRef(bytes(20), bytes(32), length, bytes(64))
    record = Record("package", name, int(time.time() + expiry), snapshot, bytes(64))
    return sign_record(key or PrivateKey.generate(), record, int(time.time() * 1000) if seq is None else seq)
