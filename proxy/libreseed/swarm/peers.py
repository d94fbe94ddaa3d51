"""What libtorrent says of the peers of a torrent."""

from typing import Any, NamedTuple

import libtorrent as lt

from libreseed.trust.records import Endpoint

_CONNECTING = lt.peer_info.connecting | lt.peer_info.handshake
_FINISHED = lt.peer_info.upload_only | lt.peer_info.seed


class PeerOf(NamedTuple):
    """A peer of a download: where it is, how many of the pieces it has, how many bytes it has sent, whether it has
    pieces that are wanted here, and whether it has all that it wants itself (BEP 21)."""

    endpoint: Endpoint
    pieces: int
    sent: int
    is_interesting: bool
    is_finished: bool


def is_connected(info: Any) -> bool:
    """Tell whether a peer (libtorrent's peer_info) has been reached."""
    return not info.flags & _CONNECTING


def read_peer(info: Any) -> PeerOf:
    """Return what is of use in libtorrent's peer_info."""
    return PeerOf(
        (info.ip[0], info.ip[1]),
        pieces=info.num_pieces,
        sent=info.total_download,
        is_interesting=bool(info.flags & lt.peer_info.interesting),
        is_finished=bool(info.flags & _FINISHED),
    )
