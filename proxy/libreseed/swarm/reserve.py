"""When the one that everybody fetches from is asked too, although others who fetch the same were named.

As long as a host has whatever those others have, only the holder's link limits them all, and asking it as well would
make it send everything twice. It is asked when they do not deliver.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from libreseed.swarm.peers import PeerOf
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks at a torrent whose holder is held in reserve."""
CONNECT = 0.15
"""Seconds in which one of the others must be connected."""
BEHIND = 0.5
"""Seconds that a host may be behind the others: pieces pass from one to the next."""
ABREAST = 0.9
"""The part of what any of the others had that a host must have by then."""
FINISHED = 0.1
"""Seconds after which the holder is asked, for each host that came before, when one of the others has all that it wants
and none has what this host wants: the finished one may be who asked the holder for all."""
SILENT = 0.8
"""Seconds for which nothing may come at all."""
EMPTY = 3.0
"""Seconds for which none of the others may have anything: to ask a holder on a slow link makes it slower for all."""
TURN = 8.0
"""Seconds after which the holder is asked all the same, for each host that came before: if its link has room, all are
quicker for it."""


class Need(StrEnum):
    """Why the holder is asked too."""

    UNREACHED = "none of the others is connected"
    BEHIND = "the others have pieces that do not come"
    FINISHED = "the others have no more, and do not fetch more"
    SILENT = "nothing comes from the others"
    TURN = "it is this host's turn"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a torrent stands: peers that are connected, bytes received, pieces here, and the most that any peer has.
    `exhausted`: some peer has all that it wants, and none has what is wanted here."""

    peers: int
    received: int
    pieces: int
    most: int
    exhausted: bool = False


def progress_of(peers: Sequence[PeerOf], pieces: int, *, is_known: bool) -> Progress:
    """Return how a torrent with these peers stands, of which so many pieces are here; `is_known`, what is in it."""
    received, most = sum(peer.sent for peer in peers), max((peer.pieces for peer in peers), default=0)
    is_fed = not is_known or any(peer.is_interesting for peer in peers)
    exhausted = not is_fed and any(peer.is_finished for peer in peers)
    return Progress(len(peers), received, pieces, most, exhausted)


class Reserve:
    """Decides for host `number` (from 0) of those who fetch together, by what it is told from time to time."""

    def __init__(self, number: int, now: float) -> None:
        """`now`: seconds of any clock."""
        self._number = number
        self._started = now
        self._received = 0
        self._heard_at = now
        self._mark = 0.0
        self._marked_at = now
        self._fed_at = now

    def need(self, progress: Progress, now: float) -> Need | None:
        """Return why the holder is to be asked from now on, None as long as it is not."""
        if progress.received != self._received or not progress.most:
            self._received, self._heard_at = progress.received, now
        if progress.pieces >= self._mark:
            self._mark, self._marked_at = progress.most * ABREAST, now
        if not progress.exhausted:
            self._fed_at = now
        waited = now - self._started
        if progress.peers == 0 and waited > CONNECT:
            return Need.UNREACHED
        if now - self._marked_at > BEHIND:
            return Need.BEHIND
        if now - self._fed_at > FINISHED * self._number:
            return Need.FINISHED
        if now - self._heard_at > SILENT or (waited > EMPTY and not progress.most):
            return Need.SILENT
        return Need.TURN if waited > TURN * self._number else None


class HeldInReserve:
    """The `holder` of a torrent that is not asked yet; `on_need` is told why it is."""

    def __init__(self, holder: Endpoint, on_need: Callable[[Need], None]) -> None:
        self.holder = holder
        self._on_need = on_need

    async def watch(
        self, number: int, progress: Callable[[], Awaitable[Progress | None]], ask: Callable[[], None]
    ) -> None:
        """See from time to time whether the holder is needed by host `number`, and then call `ask`, once; end when
        there is no progress to be seen any more."""
        loop = asyncio.get_running_loop()
        reserve = Reserve(number, loop.time())
        while (now := await progress()) is not None:
            need = reserve.need(now, loop.time())
            if need is not None:
                log.info("The holder %s:%d is asked too: %s (%s).", *self.holder, need, now)
                self._on_need(need)
                ask()
                return
            await asyncio.sleep(LOOK)
