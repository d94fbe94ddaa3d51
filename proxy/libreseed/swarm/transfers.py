"""The torrents that bytes of are on their way, as the session sees them."""

from dataclasses import dataclass
from typing import Any

import libtorrent as lt

_QUERY_NAME = 1 << 6
"""libtorrent's `torrent_handle::query_name`, which its Python binding does not name."""


@dataclass(frozen=True, slots=True)
class ActiveTransfer:
    """A torrent with bytes under way. `name` is the hex SHA-512 of its blob, or "bundle"; `length` is in bytes, 0 until
    the metadata has come; `down` and `up` are bytes a second, `received` and `sent` bytes since it was begun."""

    name: str
    length: int
    peers: int
    down: int
    up: int
    received: int
    sent: int

    @property
    def copies(self) -> float:
        """How many times its length has been sent."""
        return self.sent / self.length if self.length else 0.0


def active_transfers(session: lt.session) -> list[ActiveTransfer]:
    """Return the torrents that send or receive now, those with most bytes a second first."""
    found = [_transfer(status) for status in session.get_torrent_status(_is_active, _QUERY_NAME)]
    return sorted(found, key=lambda each: -(each.down + each.up))


def _is_active(status: Any) -> bool:
    return bool(status.download_payload_rate or status.upload_payload_rate)


def _transfer(status: Any) -> ActiveTransfer:
    return ActiveTransfer(
        name=status.name.partition(".")[0] or status.info_hashes.v2.to_bytes().hex(),
        length=status.total_wanted,
        peers=status.num_peers,
        down=status.download_payload_rate,
        up=status.upload_payload_rate,
        received=status.total_payload_download,
        sent=status.total_payload_upload,
    )
