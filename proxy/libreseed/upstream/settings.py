"""Settings of an upstream registry: URL, credentials, TLS and proxies."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from yarl import URL

from libreseed.packages import names


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for one registry: an `Authorization` header, a client certificate, or both.

    `certfile` and `keyfile` are paths of PEM files.
    """

    authorization: str = field(default="", repr=False)
    certfile: str = ""
    keyfile: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate authorities that are trusted (npm's `strict-ssl`, `cafile`, `ca`), and the client certificate for
    every registry (npm's old `cert` and `key`).

    `ca` holds PEM texts; with `ca` or a readable `cafile` no other authority is trusted. `extra_cafile` adds to the
    system's authorities, as Node's NODE_EXTRA_CA_CERTS does. `cert` and `key` are PEM texts.
    """

    strict: bool = True
    cafile: str = ""
    ca: tuple[str, ...] = ()
    extra_cafile: str = ""
    cert: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def identifies(self) -> bool:
        """Whether every registry is shown a client certificate."""
        return bool(self.cert and self.key)

    def anonymous(self) -> "Tls":
        """Return the same without the client certificate."""
        return replace(self, cert="", key="")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The HTTP proxy for each scheme, "" for none, and the domains that are reached without one."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    without: tuple[str, ...] = ()

    def proxy_for(self, url: URL) -> str:
        """Return the proxy's URL, or "" to go directly. A domain in `without` covers its subdomains."""
        labels = (url.host or "").split(".")[::-1]
        for domain in self.without:
            suffix = [label for label in domain.split(".") if label][::-1]
            if suffix and labels[: len(suffix)] == suffix:
                return ""
        return self.https if url.scheme == "https" else self.http


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """The upstream: its URL, the URLs of scopes that live elsewhere, and how to talk to them.

    `registry`: absolute URL without user, query or fragment, ending in `/`; None when there is no upstream.
    `scopes`: such URLs by scope, with its `@`. `credentials`: by npm's key `//host[:port]/path`. `private`: all its
    packages are private, as those of `scopes` are. No secret is shown by `repr`.
    """

    registry: str | None
    scopes: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    tls: Tls = Tls()
    proxies: Proxies = Proxies()
    private: bool = False

    def is_private(self, name: str) -> bool:
        """Tell whether only the registry of `name` may be asked about that package."""
        return self.private or names.scope_of(name) in self.scopes

    def registry_for(self, name: str) -> str | None:
        """Return the URL of the registry that holds the package `name`."""
        return self.scopes.get(names.scope_of(name), self.registry)

    def credentials_for(self, url: URL, registry: URL) -> Credentials | None:
        """Return the credentials for a request to `url` on behalf of `registry`, or None.

        npm's rule (`npm-registry-fetch`): those of the longest configured prefix of the URL's host and path, else, on
        the registry's own host, the registry's. Unlike npm none are sent by plain http to the host of an https
        registry.
        """
        same_host = url.host_port_subcomponent == registry.host_port_subcomponent
        if registry.scheme == "https" and url.scheme == "http" and url.host == registry.host:
            return None
        found = self._by_prefix(url)
        if found is None and same_host:
            found = self._by_prefix(registry)
        return found

    def identifies(self, url: URL, registry: URL) -> bool:
        """Tell whether a request to `url` on behalf of `registry` carries credentials or a client certificate."""
        return self.tls.identifies or self.credentials_for(url, registry) is not None

    def _by_prefix(self, url: URL) -> Credentials | None:
        key = f"//{url.host_port_subcomponent}{url.raw_path}"
        while len(key) > len("//"):
            if key in self.credentials:
                return self.credentials[key]
            key = key[:-1] if key.endswith("/") else key[: key.rindex("/") + 1]
        return None
