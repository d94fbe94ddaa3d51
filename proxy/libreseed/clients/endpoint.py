"""The registry that a client is pointed at."""

from dataclasses import dataclass, field

from yarl import URL

from libreseed.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registry: its URL, which ends in a slash, and the user's token there, "" for none."""

    url: str
    token: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str, token: str = "") -> "Endpoint":
        """Return the endpoint at a URL. Raises ConfigError unless it is an http or https URL."""
        try:
            url = URL(text.strip())
            valid = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
        except ValueError:
            valid = False
        if not valid or url.user or url.query_string or not str(url).isascii():
            raise ConfigError(f"{text[:120]!r} is not the URL of a registry.", hint="Such as http://localhost:4880")
        return cls(str(url).rstrip("/") + "/", token)

    @property
    def host(self) -> str:
        """The host, without port."""
        return URL(self.url).host or ""

    @property
    def key(self) -> str:
        """The prefix of npm's keys for credentials: the URL without its scheme, such as `//localhost:4880/`."""
        return self.url.partition(":")[2]

    @property
    def encrypted(self) -> bool:
        """Whether it is HTTPS."""
        return self.url.startswith("https:")


def without_user(url: str) -> str:
    """Return a URL without user and password, so that it can be shown."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path
