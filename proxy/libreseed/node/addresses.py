"""The address that users are told of."""

from libreseed.network.addresses import is_wildcard


def show_url(host: str, port: int) -> str:
    """Return the URL of the registry; a wildcard or loopback address becomes `localhost`."""
    is_local = is_wildcard(host) or host in ("127.0.0.1", "::1")
    return f"http://{'localhost' if is_local else host}:{port}"
