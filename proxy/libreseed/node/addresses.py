"""Formats the addresses that a node listens on."""

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def is_wildcard(host: str) -> bool:
    """Tell whether a host stands for all addresses of this machine."""
    return host in _WILDCARDS


def show_address(host: str, port: int) -> str:
    """Return `host:port` or `[IPv6]:port`; a wildcard address becomes the loopback one."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def show_url(host: str, port: int) -> str:
    """Return the URL of the registry; a wildcard or loopback address becomes `localhost`."""
    is_local = is_wildcard(host) or host in _WILDCARDS.values()
    return f"http://{'localhost' if is_local else host}:{port}"
