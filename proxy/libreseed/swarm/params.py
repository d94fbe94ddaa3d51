"""With what torrents are added to libtorrent's session."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import libtorrent as lt

from libreseed.swarm.torrents import Torrent, real_files
from libreseed.trust.records import Endpoint

_UNANNOUNCED = lt.torrent_flags.disable_dht | lt.torrent_flags.disable_lsd
# Whom else to ask is told by the overlay, and whom not: peers would name the holder that is held in reserve.
_ALWAYS = lt.torrent_flags.disable_pex


def seed_params(torrent: Torrent, folder: Path) -> lt.add_torrent_params:
    """Return those of a whole file in `folder`."""
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent.metadata)
    params.save_path = str(folder)
    params.flags = lt.torrent_flags.seed_mode | _ALWAYS
    return params


def seed_files_params(metadata: bytes, places: Mapping[str, Path]) -> lt.add_torrent_params:
    """Return those of several whole files, each of which lies at its own place, by its name; nobody is told of them."""
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(metadata)
    params.renamed_files = {index: str(places[PurePosixPath(path).name]) for index, path, _ in real_files(params.ti)}
    params.save_path = "/"  # each place is absolute
    params.flags = lt.torrent_flags.seed_mode | _ALWAYS | _UNANNOUNCED
    return params


def download_params(
    hashes: lt.info_hash_t, folder: Path, peers: Iterable[Endpoint], metadata: bytes, *, announced: bool, in_order: bool
) -> lt.add_torrent_params:
    """Return those of a torrent that is to be fetched into `folder`, paused; see `Session.download`."""
    params = lt.add_torrent_params()
    params.info_hashes = hashes
    params.save_path = str(folder)
    params.flags = lt.torrent_flags.paused | lt.torrent_flags.duplicate_is_error | _ALWAYS
    if in_order:
        params.flags |= lt.torrent_flags.sequential_download
    if metadata:
        params.ti = lt.torrent_info(metadata)
        # libtorrent connects at once only if it need not look at the disk first, else half a second later.
        params.flags |= lt.torrent_flags.no_verify_files
    if not announced:
        params.flags |= _UNANNOUNCED
    params.peers = list(peers)
    return params
