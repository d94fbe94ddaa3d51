"""Makes a libtorrent session as it is to be."""

from dataclasses import dataclass
from typing import Any

import libtorrent as lt

_ALERTS = (
    lt.alert.category_t.error_notification
    | lt.alert.category_t.status_notification
    | lt.alert.category_t.storage_notification
    | lt.alert.category_t.piece_progress_notification
    | lt.alert.category_t.peer_notification
)
MAX_METADATA = 1 << 20
"""Bytes of torrent metadata taken from a peer; 512 pieces need some 50 KB."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Where to listen and which helpers of libtorrent to use. Port 0 picks a free one."""

    host: str = "0.0.0.0"  # noqa: S104 - peers come from everywhere
    port: int = 0
    dht: bool = False
    lan: bool = False
    port_mapping: bool = False
    upload_limit: int = 0
    download_limit: int = 0
    """Bytes a second, 0 for no limit."""


def _settings_pack(settings: SessionSettings, port: int) -> Any:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "listen_interfaces": f"{host}:{port}",
        "max_retry_port_bind": 0,
        "listen_system_port_fallback": False,
        "alert_mask": int(_ALERTS),
        "alert_queue_size": 100_000,
        "user_agent": "LibreSeed",
        "peer_fingerprint": "-LS0001-",
        "enable_dht": settings.dht,
        "enable_lsd": settings.lan,
        "enable_upnp": settings.port_mapping,
        "enable_natpmp": settings.port_mapping,
        "webtorrent_stun_server": "",
        "active_downloads": -1,
        "active_seeds": -1,
        "active_checking": -1,
        "active_limit": -1,
        "active_dht_limit": -1,
        "active_lsd_limit": 60,
        "connections_limit": 2000,
        "connection_speed": 500,
        "unchoke_slots_limit": -1,
        # A long queue lets every downloader order the same pieces in advance.
        "request_queue_time": 1,
        "max_out_request_queue": 16,
        "listen_queue_size": 500,
        "max_metadata_size": MAX_METADATA,
        "upload_rate_limit": settings.upload_limit,
        "download_rate_limit": settings.download_limit,
        # Several nodes behind one address (one machine, one NAT) are the rule here.
        "allow_multiple_connections_per_ip": True,
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_prefer_verified_node_ids": False,
        "dht_ignore_dark_internet": False,
        # Who has all that it wants of a bundle goes on giving to others, and they to it.
        "close_redundant_connections": False,
        "min_reconnect_time": 1,
        "peer_connect_timeout": 5,
        "utp_connect_timeout": 1000,
        # Many small torrents at once overflow the socket's buffer; by default a lost packet then costs a second.
        "utp_min_timeout": 100,
        "tick_interval": 100,
        "recv_socket_buffer_size": 2 << 20,
        "send_socket_buffer_size": 2 << 20,
        # A node that was killed and came back is refused as connected already until its old connection times out.
        "peer_timeout": 6,
        "no_atime_storage": True,
    }


def make_session(settings: SessionSettings, port: int) -> lt.session:
    """Return a libtorrent session that listens on this port. To be called in a thread: it takes its time."""
    params = lt.session_params()
    params.settings = _settings_pack(settings, port)
    session = lt.session(params)
    if settings.upload_limit or settings.download_limit:
        # libtorrent leaves peers of the local network out of its limits, unless all are in the one global class.
        everybody = lt.ip_filter()
        for first, last in (("0.0.0.0", "255.255.255.255"), ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")):  # noqa: S104
            everybody.add_rule(first, last, 1 << lt.session.global_peer_class_id)
        session.set_peer_class_filter(everybody)
    return session
