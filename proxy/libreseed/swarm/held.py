"""What this node holds: each blob, whether others may have it, and the root of its hash tree."""

from dataclasses import dataclass
from typing import TypeAlias

from libreseed.trust.records import BlobRef


@dataclass(frozen=True, slots=True)
class Held:
    """A blob of the store. `root` is that of its hash tree (BEP 52); `shared`, when others may have it."""

    ref: BlobRef
    shared: bool
    root: bytes


HeldBlobs: TypeAlias = dict[bytes, Held]
"""The blobs of a node by SHA-512. `Seeding` alone changes it; others look."""
