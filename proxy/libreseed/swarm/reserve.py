"""When the one that everybody fetches from is asked too, although others who fetch the same were named.

As long as a host has whatever those others have, only the holder's link limits them all, and asking it as well would
make it send everything twice. It is asked when they do not deliver.
"""

from dataclasses import dataclass
from enum import StrEnum

CONNECT = 0.15
"""Seconds in which one of the others must be connected."""
BEHIND = 0.5
"""Seconds for which the others may have pieces that do not come."""
ABREAST = 0.9
"""The part of what any of the others has that a host must have to be abreast of them."""
SILENT = 0.8
"""Seconds for which nothing may come at all."""
TURN = 8.0
"""Seconds after which the holder is asked all the same, for each host that came before: if its link has room, all are
quicker for it."""


class Need(StrEnum):
    """Why the holder is asked too."""

    UNREACHED = "none of the others is connected"
    BEHIND = "the others have pieces that do not come"
    SILENT = "nothing comes from the others"
    TURN = "it is this host's turn"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a torrent stands: peers that are connected, bytes received, pieces here, and the most that any peer has."""

    peers: int
    received: int
    pieces: int
    most: int


class Reserve:
    """Decides for host `number` (from 0) of those who fetch together, by what it is told from time to time."""

    def __init__(self, number: int, now: float) -> None:
        """`now`: seconds of any clock."""
        self._number = number
        self._started = now
        self._received = 0
        self._heard_at = now
        self._abreast_at = now

    def need(self, progress: Progress, now: float) -> Need | None:
        """Return why the holder is to be asked from now on, None as long as it is not."""
        if progress.received > self._received:
            self._received, self._heard_at = progress.received, now
        if progress.pieces >= progress.most * ABREAST:
            self._abreast_at = now
        waited = now - self._started
        if progress.peers == 0 and waited > CONNECT:
            return Need.UNREACHED
        if now - self._abreast_at > BEHIND:
            return Need.BEHIND
        if now - self._heard_at > SILENT:
            return Need.SILENT
        return Need.TURN if waited > TURN * self._number else None
