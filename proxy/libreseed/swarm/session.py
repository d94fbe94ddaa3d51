"""The BitTorrent session on the event loop: libtorrent's alerts become calls, without polling and without a thread."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import libtorrent as lt

from libreseed.errors import SwarmError
from libreseed.swarm.params import download_params, seed_files_params, seed_params
from libreseed.swarm.peers import PeerOf, is_connected, read_peer
from libreseed.swarm.ports import PORT_TRIES, free_port
from libreseed.swarm.settings import SessionSettings, make_session
from libreseed.swarm.torrents import Torrent
from libreseed.swarm.transfers import ActiveTransfer, active_transfers
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)

AlertHandler = Callable[[lt.alert], None]

NEVER, DEFAULT, FIRST = 0, 4, 7
"""Priorities of pieces; libtorrent knows 0 to 7."""
_LISTEN_SECONDS = 5.0
_NOT_RUNNING = "The BitTorrent session is not running."
_UNHEARD = frozenset(
    {lt.state_changed_alert, lt.torrent_added_alert, lt.add_torrent_alert, lt.torrent_resumed_alert}
    | {lt.torrent_paused_alert, lt.torrent_removed_alert}
)
"""More than half of what comes for a small torrent, and nobody waits for it."""


class _Download(NamedTuple):
    v2: bytes
    by_tcp: bool
    handler: AlertHandler


class Session:
    """A running session. `start` first; `stop` waits for nothing but libtorrent's own shutdown."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._downloads: dict[lt.torrent_handle, _Download] = {}
        """Those that were not forgotten. libtorrent's own thread ends a removed torrent whenever it gets to it, and
        from then on using its handle fails: so no other handles than these are used."""
        self._offered_later: dict[bytes, lt.add_torrent_params] = {}
        self._listening: asyncio.Future[None] | None = None
        self._counted: asyncio.Future[tuple[int, int]] | None = None
        self._lt: lt.session | None = None
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None

    async def start(self) -> None:
        """Listen on TCP and UDP. Raises SwarmError when the port cannot be had."""
        for left in reversed(range(PORT_TRIES)):
            # libtorrent takes a free port for each network interface; peers must find one and the same on all.
            port = self._settings.port or free_port(self._settings.host)
            try:
                await self._listen(port)
                return
            except SwarmError:
                await self.stop()
                if self._settings.port or not left:
                    raise

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listening = loop.create_future()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        session = await asyncio.to_thread(make_session, self._settings, port)
        self._lt = session
        loop.add_reader(self._reader, self._read_alerts)
        session.set_alert_fd(self._writer.fileno())
        self._read_alerts()
        try:
            async with asyncio.timeout(_LISTEN_SECONDS):
                await self._listening
        except TimeoutError:
            raise SwarmError(
                f"BitTorrent cannot listen on {self._settings.host}:{port}.", hint="Choose another --p2p-port."
            ) from None

    async def stop(self) -> None:
        """Stop listening, drop all torrents, end libtorrent's threads."""
        session, self._lt = self._lt, None
        if session is None or self._reader is None or self._writer is None:
            return
        for book in (self._downloads, self._offered_later):
            book.clear()
        counted, self._counted = self._counted, None
        if counted is not None:
            counted.set_exception(SwarmError(_NOT_RUNNING))
        asyncio.get_running_loop().remove_reader(self._reader)
        session.pause()
        owned = [session]
        del session
        await asyncio.to_thread(owned.clear)  # destroying the session joins libtorrent's threads
        self._reader.close()
        self._writer.close()

    @property
    def port(self) -> int:
        """The TCP and UDP port peers reach us on."""
        return self._session.listen_port()

    @property
    def peers(self) -> int:
        """How many peers are connected now, over all torrents."""
        return sum(status.num_peers for status in self._session.get_torrent_status(lambda status: status.num_peers > 0))

    @property
    def limits(self) -> tuple[int, int]:
        """Bytes a second that may be sent, and received, 0 for no limit."""
        settings = self._session.get_settings()
        return settings["upload_rate_limit"], settings["download_rate_limit"]

    def limit(self, *, upload: int, download: int) -> None:
        """Limit what is sent and received from now on, in bytes a second, 0 for no limit. Peers of the local network
        are limited only if the session was started with a limit."""
        self._session.apply_settings({"upload_rate_limit": upload, "download_rate_limit": download})

    def transfers(self) -> list[ActiveTransfer]:
        """Return the torrents that send or receive now."""
        return active_transfers(self._session)

    async def traffic(self) -> tuple[int, int]:
        """Return how many bytes of files have been sent so far, and received. Raises SwarmError when it stops."""
        if self._counted is None:
            self._counted = asyncio.get_running_loop().create_future()
            self._session.post_session_stats()
        return await asyncio.shield(self._counted)

    def seed(self, torrent: Torrent, folder: Path) -> None:
        """Offer a whole file; `folder` is where it lies. It is not read before a peer asks for it.

        While it is downloaded still it goes on as that, and is offered when the download has been forgotten.
        """
        params = seed_params(torrent, folder)
        if any(each.v2 == torrent.ref.v2 for each in self._downloads.values()):
            self._offered_later[torrent.ref.v2] = params
        else:
            self._session.async_add_torrent(params)

    def seed_files(self, metadata: bytes, places: Mapping[str, Path]) -> None:
        """Offer a torrent of several files, each of which lies at its own place, by its name. Nobody is
        told of it."""
        self._session.async_add_torrent(seed_files_params(metadata, places))

    def unseed(self, v2: bytes) -> None:
        """Stop offering what has this v2 infohash."""
        handle = self._session.find_torrent(lt.sha1_hash(v2[:20]))  # BEP 52: how such a torrent is named to peers
        if handle.is_valid():
            self._session.remove_torrent(handle)

    def download(
        self,
        hashes: lt.info_hash_t,
        folder: Path,
        peers: Iterable[Endpoint],
        handler: AlertHandler,
        *,
        metadata: bytes = b"",
        announced: bool = True,
        in_order: bool = True,
        by_tcp: bool = False,
    ) -> lt.torrent_handle:
        """Begin to fetch a torrent, which has a v2 infohash, into `folder`; `handler` gets every alert about it until
        `forget`. With `metadata`, its torrent file, nobody is asked for that, and the folder is taken to be empty.
        Unless `announced`, only the given peers are asked; pieces come `in_order`, or else the rarest first.
        `by_tcp`: for many bytes TCP takes half the CPU time of uTP, which is used otherwise: Nagle's algorithm would
        cost a small blob 45 ms.

        The torrent is added paused with its peers and then resumed: libtorrent connects at once on resume, and
        otherwise only on its next tick, up to a second later. Raises SwarmError.
        """
        params = download_params(hashes, folder, peers, metadata, announced=announced, in_order=in_order)
        try:
            handle = self._session.add_torrent(params)
        except RuntimeError as error:
            raise SwarmError(f"Cannot start the torrent {hashes.v2.to_bytes().hex()}: {error}.") from error
        self._downloads[handle] = _Download(hashes.v2.to_bytes(), by_tcp, handler)
        self._resume(handle, by_tcp=by_tcp)
        return handle

    def add_peers(self, handle: lt.torrent_handle, peers: Iterable[Endpoint], *, at_once: bool = False) -> None:
        """Connect to more peers for a download: at once when there is none yet (see `download`), else within a second.
        With `at_once` the others are connected anew for it."""
        if handle not in self._downloads:
            return
        at_once = at_once or handle.status(0).num_peers == 0  # to pause disconnects those who deliver meanwhile
        if at_once:
            handle.pause()
        for peer in peers:
            handle.connect_peer(peer)
        if at_once:
            self._resume(handle, by_tcp=self._downloads[handle].by_tcp)

    def take_rarest_first(self, handle: lt.torrent_handle) -> None:
        """Fetch the rarest pieces of a download first from now on."""
        if handle in self._downloads:
            handle.unset_flags(lt.torrent_flags.sequential_download)

    def prioritise(self, handle: lt.torrent_handle, priorities: Mapping[int, int], pieces: int) -> None:
        """Set the priorities of the pieces of a download, DEFAULT where nothing is said."""
        if handle in self._downloads:
            handle.prioritize_pieces([priorities.get(piece, DEFAULT) for piece in range(pieces)])

    def received(self, handle: lt.torrent_handle) -> int:
        """Return how many bytes of a download have come."""
        return handle.status(0).total_payload_download if handle in self._downloads else 0

    async def peers_of(self, handle: lt.torrent_handle) -> list[PeerOf]:
        """Return the peers that a download is connected to. Other things go on meanwhile: libtorrent's thread takes its
        time, which would hold up everything else in the event loop."""
        if handle not in self._downloads:
            return []
        try:
            peers = await asyncio.to_thread(handle.get_peer_info)
        except RuntimeError:  # it was forgotten meanwhile
            return []
        return [read_peer(each) for each in peers if is_connected(each)]

    def read_piece(self, handle: lt.torrent_handle, number: int) -> None:
        """Have a piece of a download read; its handler gets it. Raises SwarmError when the download has ended."""
        if handle not in self._downloads:
            raise SwarmError(f"Piece {number} was wanted of a torrent that has ended.")
        handle.read_piece(number)

    def forget(self, handle: lt.torrent_handle, peers: Iterable[Endpoint] = ()) -> None:
        """End a download; its files stay. If it is offered from now on, `peers` are connected to at once, for they
        may still want it."""
        download = self._downloads.pop(handle, None)
        if download is None:
            return
        self._session.remove_torrent(handle)
        params = self._offered_later.pop(download.v2, None)
        if params is not None:
            params.peers = [*peers]
            params.flags |= lt.torrent_flags.paused
            self._resume(self._session.add_torrent(params), by_tcp=download.by_tcp)

    def _resume(self, handle: lt.torrent_handle, *, by_tcp: bool) -> None:
        """Resume a torrent, which connects at once (see `download`). libtorrent's thread does these three in their
        order, so that nothing else is connected by TCP meanwhile."""
        if by_tcp:
            self._session.apply_settings({"enable_outgoing_utp": False})
        handle.resume()
        if by_tcp:
            self._session.apply_settings({"enable_outgoing_utp": True})

    @property
    def _session(self) -> lt.session:
        if self._lt is None:
            raise SwarmError(_NOT_RUNNING)
        return self._lt

    def _read_alerts(self) -> None:
        if self._lt is None or self._reader is None:
            return
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        for alert in self._lt.pop_alerts():
            try:
                self._dispatch(alert)
            except Exception:
                log.exception("Handling %s failed", alert.what())

    def _dispatch(self, alert: lt.alert) -> None:
        if type(alert) in _UNHEARD:
            return
        if isinstance(alert, lt.torrent_alert):
            if (download := self._downloads.get(alert.handle)) is not None:
                download.handler(alert)
            elif isinstance(alert, lt.torrent_error_alert | lt.file_error_alert):
                log.warning("%s", alert.message())
        elif isinstance(alert, lt.session_stats_alert) and self._counted is not None:
            sent, received = (alert.values[f"net.{each}_payload_bytes"] for each in ("sent", "recv"))
            self._counted.set_result((sent, received))
            self._counted = None
        elif self._listening is None or self._listening.done():
            return
        elif isinstance(alert, lt.listen_succeeded_alert):
            self._listening.set_result(None)
        elif isinstance(alert, lt.listen_failed_alert):
            self._listening.set_exception(
                SwarmError(f"BitTorrent: {alert.message()}.", hint="Choose another --p2p-port.")
            )
