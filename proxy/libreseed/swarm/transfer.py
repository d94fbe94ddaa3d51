"""A torrent on its way: metadata checked, pieces counted, everything flushed to the disk at the end."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import libtorrent as lt

from libreseed.concurrency.tasks import Tasks
from libreseed.errors import SwarmError, UnavailableError
from libreseed.swarm.reserve import HeldInReserve, Need, Progress, progress_of
from libreseed.swarm.session import FIRST, Session
from libreseed.swarm.shares import DIRECT, first_share
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

_FIRST_RETRY, _FLEET_RETRY, _LAST_RETRY = 0.2, 1.0, 4.0
"""Seconds without any progress after which the torrent is started anew: first, each five times the last; first among
many who fetch the same, whose pieces come when others have them; and longest.

About one new uTP connection in 300 takes an id that the other side still holds for a dead one, and hangs for
seconds (libtorrent 2.1); and a peer that died goes unnoticed for minutes.
"""
_BUSY = 0.05
"""Seconds for what waits to be heard of."""


class Transfer(ABC):
    """A torrent that is fetched into `folder`. Use as an async context manager; leaving it ends the torrent.

    libtorrent checks every piece against the infohashes; the SHA-512 of the files is the caller's to check.
    `stall` is how many seconds may pass without a new verified piece.

    Every waiting method raises UnavailableError after a stall and SwarmError when the torrent fails.
    """

    _announced = True
    direct = DIRECT
    """How many hosts ask the holder at once (see `swarm.shares`)."""
    _by_tcp = False
    _is_reopened = False
    _metadata = b""
    """The torrent file, if it is known."""

    def __init__(
        self, session: Session, hashes: lt.info_hash_t, folder: Path, peers: Iterable[Endpoint], stall: float
    ) -> None:
        self.peers: set[Endpoint] = set(peers)
        self._place = (0, 1)
        self._fellows: set[Endpoint] = set()
        self._reserve: HeldInReserve | None = None
        self._on_ban: Callable[[Endpoint], None] = lambda _: None
        self._session = session
        self._hashes = hashes
        self._folder = folder
        self._stall = stall
        self._changed = asyncio.Event()
        self._progressed = 0.0
        self._info: lt.torrent_info | None = None
        self._handle: lt.torrent_handle | None = None
        self._finished: set[int] = set()
        self._is_flushing = False
        self._restarted = False
        self._is_prioritised = False
        self._received = 0
        self._senders: Counter[Endpoint] = Counter()
        self._error: SwarmError | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._tasks = Tasks()

    async def __aenter__(self) -> Self:
        info = lt.torrent_info(self._metadata) if self._metadata else None
        if info is not None:
            self._check(info)
        self._start()
        if info is not None:
            self._info = info
            self._prioritise(info)
        self._go_on()
        if self._reserve is not None:
            self._tasks.start(self._reserve.watch(self._place[0], self._look, self._ask_reserved))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()
        await self._tasks.stop()

    def detach(self) -> Callable[[], None]:
        """Let the torrent go on, for others, after this has been left; return what ends it. Its files must stay."""
        handle, self._handle = self._handle, None
        if self._retry is not None:
            self._retry.cancel()

        def end() -> None:
            if handle is not None:
                self._session.forget(handle)

        return end

    @property
    @abstractmethod
    def label(self) -> str:
        """What is fetched, for messages."""

    @abstractmethod
    def _check(self, info: lt.torrent_info) -> None:
        """Raise SwarmError for metadata of another torrent than was promised."""

    def add_peers(self, peers: Iterable[Endpoint]) -> None:
        """Ask further peers, but for one that is held in reserve."""
        self._add_peers({*peers} - {self._reserve.holder} if self._reserve else {*peers})

    def introduce(self, peers: Iterable[Endpoint], number: int, count: int) -> None:
        """Ask those who fetch the same too. As host `number` of `count` this one begins with another part than they do,
        and takes the rarest pieces first from then on."""
        fellows = [*peers]
        self.add_peers(fellows)
        self._fellows.update(fellows)
        known, self._place = self._place, (number, count)
        if self._handle is None or count < 2 or self._place == known:
            return
        self._session.take_rarest_first(self._handle)
        if self._info is not None:
            self._prioritise(self._info)

    def tell_of_bans(self, on_ban: Callable[[Endpoint], None]) -> None:
        """Call this with each peer that is asked no longer because its pieces were not of the torrent."""
        self._on_ban = on_ban

    def hold_in_reserve(self, holder: Endpoint, on_need: Callable[[Need], None]) -> None:
        """Ask this one only when the others do not deliver (see `swarm.reserve`); `on_need` is then told why. To be
        called before the transfer begins."""
        self._reserve = HeldInReserve(holder, on_need)

    @property
    def received(self) -> int:
        """Bytes that have come since it was last begun, in whole pieces or not."""
        return self._session.received(self._handle) if self._handle is not None else 0

    async def senders(self) -> dict[Endpoint, int]:
        """Return who has sent bytes of it since this was last asked, of those that are connected still, and how
        many."""
        peers = await self._session.peers_of(self._handle) if self._handle is not None else ()
        known, self._senders = self._senders, Counter({peer.endpoint: peer.sent for peer in peers})
        return self._senders - known

    async def first_piece(self) -> None:
        """Wait until a piece has arrived and was verified."""
        await self._until(lambda: bool(self._finished))

    async def flush(self) -> None:
        """Wait until what has come is on the disk. libtorrent also tells of a flush when a torrent is paused, as it is
        to reach more peers at once: it may be that flush that ends this wait."""
        self._is_flushing = True
        if self._handle is not None:
            self._handle.flush_cache()
        await self._until(lambda: not self._is_flushing)

    @abstractmethod
    def _is_done(self) -> bool:
        """Tell whether nothing more is to come, as far as is known by now."""

    def _add_peers(self, peers: set[Endpoint], *, at_once: bool = False) -> None:
        new = peers - self.peers
        self.peers |= new
        if new and self._handle is not None:
            self._session.add_peers(self._handle, new, at_once=at_once)

    def _start(self) -> None:
        self._handle = self._session.download(
            self._hashes,
            self._folder,
            self.peers,
            self._on_alert,
            metadata=b"" if self._restarted else self._metadata,
            announced=self._announced,
            in_order=self._place[1] < 2,
            by_tcp=self._by_tcp and not self._restarted,  # some peers may be reached by UDP alone
        )
        if self._is_flushing:
            self._handle.flush_cache()

    def _go_on(self) -> None:
        """Something is to come from now on."""
        self._progressed = asyncio.get_running_loop().time()
        if self._retry is None:
            self._watch(_FIRST_RETRY if self._reserve is None else _FLEET_RETRY)

    def _watch(self, retry: float) -> None:
        loop = asyncio.get_running_loop()
        self._retry = loop.call_later(retry, self._check_progress, retry, self._progressed)

    async def _look(self) -> Progress | None:
        if self._handle is None or self._is_done():
            return None
        peers = await self._session.peers_of(self._handle)
        return progress_of(peers, len(self._finished), is_known=self._info is not None)

    def _ask_reserved(self) -> None:
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            self._add_peers({reserve.holder}, at_once=True)

    def _leave(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._handle is not None:
            self._session.forget(self._handle, self._fellows)
            self._handle = None

    def _check_progress(self, retry: float, progressed: float) -> None:
        self._retry = None
        if self._is_done() or self._error is not None:
            return
        longer = min(retry * 5, _LAST_RETRY)
        known, self._received = self._received, self.received  # a large piece takes its time
        if self._progressed > progressed or self._received > known:
            self._watch(longer)
            return

        self._leave()
        self._restarted = True
        self._received = 0
        try:
            self._start()
            self._watch(longer)
        except SwarmError as error:
            self._error = error
            self._changed.set()

    def _prioritise(self, info: lt.torrent_info) -> None:
        priorities = self._priorities(info)
        if self._handle is not None and (priorities or self._is_prioritised):
            self._is_prioritised = True
            self._session.prioritise(self._handle, priorities, info.num_pieces())

    def _priorities(self, info: lt.torrent_info) -> dict[int, int]:
        """Return the priorities of pieces that are to come earlier or later than others."""
        number, count = self._place
        return dict.fromkeys(first_share(number, self.direct, count, info.num_pieces()), FIRST)

    async def _until(self, condition: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while self._error is None and not condition():
            self._changed.clear()
            left = self._progressed + self._stall - loop.time()
            try:
                # `asyncio.wait_for` of Python 3.11 loses a cancellation that comes at the same time as the event.
                async with asyncio.timeout(max(left, 0)):
                    await self._changed.wait()
            except TimeoutError:
                await asyncio.sleep(_BUSY)  # what has come while this process had no time is heard of now
                if loop.time() < self._progressed + self._stall:
                    continue
                known = f"{len(self.peers)} known peers"
                raise UnavailableError(f"No data of {self.label} from {known} for {self._stall:.0f} s.") from None
        if self._error is not None:  # perhaps told of together with what was waited for
            raise self._error

    def _on_alert(self, alert: lt.alert) -> None:
        match alert:
            case lt.metadata_received_alert():
                self._check_metadata()
            case lt.piece_finished_alert():
                self._finished.add(alert.piece_index)
            case lt.read_piece_alert():
                self._on_read(alert)
            case lt.torrent_checked_alert():
                # Pieces of a try before are found on the disk; no other alert tells of them.
                may_have = self._restarted or self._is_reopened
                have = alert.handle.status(lt.torrent_handle.query_pieces).pieces if may_have else []
                self._finished.update(number for number, there in enumerate(have) if there)
            case lt.cache_flushed_alert():
                self._is_flushing = False
            case lt.peer_ban_alert():
                self._on_ban((alert.endpoint[0], alert.endpoint[1]))
                return
            case lt.torrent_error_alert() | lt.file_error_alert() | lt.metadata_failed_alert():
                self._error = SwarmError(f"The torrent of {self.label} failed: {alert.message()}.")
            case lt.torrent_conflict_alert():
                self._error = SwarmError(f"The infohashes of {self.label} belong to different torrents.")
            case _:
                return
        self._progressed = asyncio.get_running_loop().time()
        self._changed.set()

    def _on_read(self, alert: lt.read_piece_alert) -> None:
        """Take a piece that was asked for. Only a blob's own torrent reads pieces one by one."""
        raise NotImplementedError

    def _check_metadata(self) -> None:
        info = self._handle.torrent_file() if self._handle is not None else None
        if info is None:
            return
        try:
            self._check(info)
            self._info = info
            self._prioritise(info)
        except SwarmError as error:
            log.info("%s", error)
            self._error = error
