"""`.npmrc`, npm's ini dialect: also pnpm's `auth.ini`, and read by yarn 1 and bun."""

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.formats import not_understood
from libreseed.clients.ini import is_section, parse_ini
from libreseed.clients.lines import put, split


class Npmrc:
    """A `Format`."""

    def registry_of(self, text: str) -> str | None:
        """Return the value of `registry`."""
        value = parse_ini(text).get("registry")
        return value if isinstance(value, str) and value else None

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `registry`, and `//HOST/:_authToken` with a token."""
        text = _set(text, "registry", endpoint.url)
        return _set(text, f"{endpoint.key}:_authToken", endpoint.token) if endpoint.token else text


def _set(text: str, key: str, value: str) -> str:
    lines = split(text)
    # npm reads nothing below a section's head.
    end = next((index for index, line in enumerate(lines) if is_section(line.rstrip("\r\n"))), len(lines))
    result = "".join(put(lines, lambda line: key in parse_ini(line), f"{key}={value}", stop=end))
    if parse_ini(result).get(key) != value:
        raise not_understood(key)
    return result
