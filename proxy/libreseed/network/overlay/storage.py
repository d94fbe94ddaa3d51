"""Where the overlay keeps what must outlive the process. Records travel as `SignedItem.encode()` bytes."""

from collections.abc import Sequence
from typing import Protocol


class OverlayStorage(Protocol):
    """The overlay's storage. A method may raise StoreError: the overlay then logs it and goes on in memory.

    A record's identity is its key text (`libreseed:<name>`) and its publisher's public key (32 bytes).
    A contact is (IP address, overlay port, BitTorrent port or 0).
    """

    async def load_records(self) -> Sequence[tuple[str, bytes]]:
        """Return the (key text, encoded item) of every record."""
        ...

    async def save_record(self, key_text: str, publisher: bytes, item: bytes) -> None:
        """Keep a record in place of an earlier one of the same key text and publisher."""
        ...

    async def remove_record(self, key_text: str, publisher: bytes) -> None:
        """Forget a record; one that is not there is no error."""
        ...

    async def save_evidence(self, key_text: str, publisher: bytes, first: bytes, second: bytes) -> None:
        """Keep two encoded items that one publisher signed with one seq. The first pair of a key text and
        publisher stays; later pairs prove nothing more and may be dropped."""
        ...

    async def load_contacts(self) -> Sequence[tuple[str, int, int]]:
        """Return the contacts of the last session."""
        ...

    async def save_contacts(self, contacts: Sequence[tuple[str, int, int]]) -> None:
        """Keep these contacts in place of all earlier ones."""
        ...

    async def load_node_id(self) -> bytes | None:
        """Return the 20-byte id of this node, or None before the first start."""
        ...

    async def save_node_id(self, node_id: bytes) -> None:
        """Keep the 20-byte id of this node."""
        ...


class MemoryStorage:
    """A OverlayStorage that forgets everything with the process."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, bytes], bytes] = {}
        self.evidence: dict[tuple[str, bytes], tuple[bytes, bytes]] = {}
        self.contacts: tuple[tuple[str, int, int], ...] = ()
        self.node_id: bytes | None = None

    async def load_records(self) -> Sequence[tuple[str, bytes]]:
        return [(key_text, item) for (key_text, _), item in self.records.items()]

    async def save_record(self, key_text: str, publisher: bytes, item: bytes) -> None:
        self.records[key_text, publisher] = item

    async def remove_record(self, key_text: str, publisher: bytes) -> None:
        self.records.pop((key_text, publisher), None)

    async def save_evidence(self, key_text: str, publisher: bytes, first: bytes, second: bytes) -> None:
        self.evidence.setdefault((key_text, publisher), (first, second))

    async def load_contacts(self) -> Sequence[tuple[str, int, int]]:
        return self.contacts

    async def save_contacts(self, contacts: Sequence[tuple[str, int, int]]) -> None:
        self.contacts = tuple(contacts)

    async def load_node_id(self) -> bytes | None:
        return self.node_id

    async def save_node_id(self, node_id: bytes) -> None:
        self.node_id = node_id
