"""What a node of the overlay is told to be like."""

from dataclasses import dataclass, field

from libreseed.network.overlay.claims import ClaimLimits
from libreseed.network.overlay.recordbook import RecordLimits


@dataclass(frozen=True, slots=True)
class OverlaySettings:
    """Address and UDP port to listen on (0 picks a free one), the BitTorrent port that others are told (0: none),
    requests under way in a lookup, copies of a record, seconds that a bootstrap node has to answer. A
    `client_only` node, behind a NAT that lets nobody in, asks but is not asked."""

    host: str = "127.0.0.1"
    port: int = 0
    p2p_port: int = 0
    alpha: int = 5
    k: int = 20
    bootstrap_timeout: float = 3.0
    client_only: bool = False
    record_limits: RecordLimits = field(default_factory=RecordLimits)
    claim_limits: ClaimLimits = field(default_factory=ClaimLimits)
