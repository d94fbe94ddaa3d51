"""When the one that everybody fetches from is asked too, although others who fetch the same were named.

As long as a host has whatever those others have, only the holder's link limits them all, and asking it as well would
make it send everything twice. It is asked when they do not deliver.
"""

from dataclasses import dataclass

CONNECT = 0.3
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


@dataclass(frozen=True, slots=True)
class Progress:
    """How a torrent stands: connected peers, bytes received, pieces here, and the most that any peer has."""

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

    def why_needed(self, progress: Progress, now: float) -> str:
        """Return why the holder is to be asked from now on, empty as long as it is not."""
        if progress.received > self._received:
            self._received, self._heard_at = progress.received, now
        if progress.pieces >= progress.most * ABREAST:
            self._abreast_at = now
        waited = now - self._started
        if progress.peers == 0 and waited > CONNECT:
            return "none of the others is connected"
        if now - self._abreast_at > BEHIND:
            return "the others have pieces that do not come"
        if now - self._heard_at > SILENT:
            return "nothing comes from the others"
        return "it is this host's turn" if waited > TURN * self._number else ""
